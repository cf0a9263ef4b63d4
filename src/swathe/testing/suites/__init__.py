"""What every implementation of a protocol must do, as classes of tests to subclass; they need pytest."""
