"""The engine: plan, batches, workers, exact merge, ledger, executors."""
