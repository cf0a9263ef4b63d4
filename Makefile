# make setup, then whatever you like. Everything is installed into .venv; nothing outside of this folder is touched.

SHELL := /bin/bash
PYTHON ?= python3
# Another index for PyTorch, for instance one with builds for the CPU only: make setup-train TORCH_INDEX=ADDRESS
TORCH_INDEX ?=
# Where the wheel of PySpark is kept, which takes half a minute to build
WHEELS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/swathe/wheels
JOBS ?= 2
FUZZ_SEED ?= 1
FUZZ_CASES ?= 1040

BIN := .venv/bin
UV := requirements/uv
STAMPS := .venv/stamps
LOCK := $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	--custom-compile-command "make lock" -c requirements/bounds.in $(LOCK_FLAGS)
DEMO := build/demo

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-train setup-spark lock frontend demo map test test-spark cluster cluster-down ogr-parquet fuzz check format accidents bench gauges rivals docs train-buildings clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

setup: $(STAMPS)/core ## install what detection needs: 1 GB (no PyTorch)

setup-train: $(STAMPS)/train ## install what training and export need, PyTorch among it: 6 GB more

setup-dev: $(STAMPS)/dev ## install everything that tests and checks need: 8 GB in all

$(STAMPS)/base: requirements/build.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: Swathe needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1);" \
			"name another one with: make setup PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/build.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/core: $(STAMPS)/base requirements/core.txt pyproject.toml requirements/uv
	$(UV) pip install --quiet --compile-bytecode --require-hashes -r requirements/core.txt
	$(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/swathe doctor --warm
	@touch $@

ifeq ($(TORCH_INDEX),)
$(STAMPS)/train: $(STAMPS)/core requirements/train.txt
	$(UV) pip install --quiet --require-hashes -r requirements/train.txt
	@touch $@
else
# A build from elsewhere has other hashes and other dependencies: the locked versions are kept, their hashes are not.
$(STAMPS)/train: $(STAMPS)/core requirements/train.txt
	sed -E '/--hash=/d; s/ *\\$$//' requirements/train.txt > .venv/train-versions.txt
	$(UV) pip install --quiet --index $(TORCH_INDEX) --index-strategy unsafe-best-match \
		--constraint .venv/train-versions.txt --no-build-isolation --editable '.[onnx,geo,train]'
	@touch $@
endif

$(STAMPS)/dev: $(STAMPS)/train requirements/dev.txt
	$(UV) pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

setup-spark: $(STAMPS)/spark ## install everything that tests need, PySpark among it

$(STAMPS)/spark: $(STAMPS)/dev requirements/spark.txt
	mkdir -p $(WHEELS)
	ls $(WHEELS)/pyspark-$$(sed -n 's/^pyspark==\([^ ]*\).*/\1/p' requirements/spark.txt)-*.whl >/dev/null 2>&1 || \
		$(BIN)/python -m pip wheel --quiet --no-deps --require-hashes --wheel-dir $(WHEELS) -r requirements/spark.txt
	sed 's/ --hash=.*//' requirements/spark.txt | \
		$(UV) pip install --quiet --no-deps --no-index --find-links $(WHEELS) -r -
	@touch $@

lock: $(STAMPS)/base ## write the requirement files anew (LOCK_FLAGS=--upgrade for newer versions)
	$(LOCK) requirements/build.in -o requirements/build.txt
	$(LOCK) pyproject.toml --extra onnx --extra geo --extra serve -o requirements/core.txt
	$(LOCK) pyproject.toml --extra onnx --extra geo --extra serve --extra train -c requirements/core.txt -o requirements/train.txt
	$(LOCK) pyproject.toml --extra onnx --extra geo --extra serve --extra openvino --extra s3 --extra hdfs --extra webhdfs --extra hbase \
		--extra stac --extra map --extra int8 --extra dev -c requirements/core.txt -c requirements/train.txt -o requirements/dev.txt

frontend: $(STAMPS)/frontend ## build the page of `swathe serve` (needs Node 20.19 or newer, and npm)

$(STAMPS)/frontend: $(shell find frontend -not -path '*/node_modules*' -type f 2>/dev/null)
	@command -v npm >/dev/null || { echo "error: the page of \`swathe serve\` is built with Node and npm; install them" >&2; exit 1; }
	npm --prefix frontend ci --no-audit --no-fund --loglevel error
	npm --prefix frontend run --silent build
	@mkdir -p $(STAMPS) && touch $@

map: demo frontend ## open the map of the demo (Ctrl-C stops it)
	$(BIN)/swathe serve $(DEMO)/detections

demo: setup ## find the buildings of the scene that ships with the project
	@mkdir -p $(DEMO)
	$(BIN)/swathe detect data/banepa/banepa.tif -m buildings -o $(DEMO)/detections --overwrite \
		--geojson $(DEMO)/buildings.geojson
	$(BIN)/swathe draw $(DEMO)/detections -o $(DEMO)/buildings.jpg --overwrite
	@printf '\nStore    %s\nGeoJSON  %s\nPicture  %s\nMap      %s\n' $(DEMO)/detections $(DEMO)/buildings.geojson \
		$(DEMO)/buildings.jpg 'make map'

test: setup-dev $(if $(shell command -v npm),frontend) ## run all tests (PYTEST_FLAGS='--ignore tests/cluster' leaves Hadoop and HBase out)
	$(BIN)/pytest -n $(JOBS) $(PYTEST_FLAGS)

test-spark: $(STAMPS)/spark ## run the tests of Spark (Java 17 or newer)
	SWATHE_NO_SKIP=1 $(BIN)/pytest tests/spark

cluster: ## start HDFS, YARN and HBase on this machine (make cluster-down stops them)
	cluster/swathe-cluster up

cluster-down: ## stop them; their data stay in build/cluster
	cluster/swathe-cluster down

ogr-parquet: $(STAMPS)/base ## build the driver through which a test reads stores as QGIS does (Debian 12)
	tests/ogr_parquet/build

fuzz: setup-dev ## give the commands damaged and malicious input (FUZZ_SEED, FUZZ_CASES)
	PYTHONPATH=tests $(BIN)/python -m hostile --seed $(FUZZ_SEED) --cases $(FUZZ_CASES) --jobs $(JOBS) $(FUZZ_FLAGS)

check: setup-dev ## style, types, layers, docstrings, links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pydoclint --quiet src
	$(BIN)/python docs/build.py --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

format: setup-dev ## put the source into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

accidents: setup-dev ## kill runs 50 times, break one scene of 1000, fail every single write (some eight minutes)
	SWATHE_KILLS=50 SWATHE_SCENES=1000 SWATHE_EVERY_WRITE=1 $(BIN)/pytest tests/accidents tests/engine tests/test_atomic.py

bench: setup-dev ## run all benchmarks, then write docs/benchmarks.md
	$(BIN)/python benchmarks/run.py
	$(BIN)/python -m benchmarks.report

rivals: setup-train ## compare what is read from models of other makes with what their own tools read (network)
	for tool in ultralytics yolov5 libreyolo oriented_det; do benchmarks/rivals/install.sh $${tool/_/-} && \
		YOLOV5_AUTOINSTALL=false benchmarks/rivals/.venv-$${tool/_/-}/bin/python benchmarks/rivals/$${tool}_candidates.py build/rivals || exit; done
	$(BIN)/python -m benchmarks.rivals.compare build/rivals

gauges: setup-dev ## how large and how tangled the source is, and how often a small run asks its store
	$(BIN)/python benchmarks/gauges.py

docs: setup-dev ## write the generated pages and figures, check all links, build the site into site/
	$(BIN)/python docs/build.py
	$(BIN)/python docs/figures.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

train-buildings: setup-train ## train the model that ships with the project (about an hour on two cores)
	$(BIN)/swathe train recipes/buildings.toml

clean: ## remove what was built, .venv included
	rm -rf .venv build dist site frontend/node_modules src/swathe/viewer/static .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
