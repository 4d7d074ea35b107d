# Each target does its own set-up: Python 3.11+ with venv, git and make are all it needs.
# Knobs: PYTHON (which interpreter), VENV (where to install), TIDEGATE_ENGINES (real engines).
VENV ?= .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
export VENV
export TIDEGATE_ENGINES

.DEFAULT_GOAL := help
.PHONY: help demo test check format lint types contracts unit coverage fix golden bench bench-judge screenshots e2e package clean

help: ## Show what you can ask for
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{printf "  %-11s %s\n", $$1, $$2}'

demo: $(READY)-demo ## Watch 500 sites take a good model and give a bad one back (2 minutes)
	$(VENV)/bin/tidegate demo $(ARGS)

test: format lint types contracts ## Run every test that this machine can run (10 to 15 minutes)
	$(PY) -m pytest -n auto --dist worksteal $(ARGS)
	@.ci/newest

check: format lint types contracts unit ## Run the quick gates: format, lint, types, contracts, unit

format: $(READY)-dev ## Check the format
	$(VENV)/bin/ruff format --check --output-format concise

lint: $(READY)-dev ## Look for mistakes
	$(VENV)/bin/ruff check

types: $(READY)-dev ## Check the types
	$(VENV)/bin/mypy --no-error-summary

contracts: $(READY)-dev ## Check who may import whom
	$(VENV)/bin/lint-imports --no-logo

unit: $(READY)-dev ## Test the rooms, without any I/O
	$(PY) -m pytest tests/unit -q -n auto -m "not slow" $(ARGS)

coverage: $(READY)-dev ## Show the branches of the rooms that no unit test takes
	$(PY) -m coverage run -m pytest tests/unit -q
	$(PY) -m coverage report

fix: $(READY)-dev ## Format, and mend what can be mended
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

golden: $(READY)-dev ## Write the example repositories in environments/ again
	@$(call when,tests/golden/__main__.py,$(PY) -m tests.golden $(ARGS),render environments/ again from its inputs)

bench: $(READY)-dev ## Measure the figures of the README
	@$(call when,tests/bench/__main__.py,$(PY) tests/bench $(ARGS),measure the figures of the README as ratios in one run)

bench-judge: $(READY)-dev ## Measure on simulated fleets what the judge is worth; ARGS=--quick
	@$(PY) tests/bench_judge $(ARGS)

screenshots: $(READY)-dev ## Draw docs/page-*.png with Chromium, of the demo and of 10,000 sites
	@$(PY) -m tests.screenshots

e2e: $(READY)-dev ## Test against real engines, where they are found; REQUIRE=argocd,... insists
	$(PY) -m pytest tests/e2e -n 2 --dist loadfile --no-loadscope-reorder \
		-o enable_assertion_pass_hook=true --require=$(REQUIRE) $(ARGS)

package: $(READY)-dev ## Build the wheel and the sdist, and check them
	rm -rf dist build
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(VENV)/bin/uv build --quiet --out-dir dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(VENV)/bin/uv build --quiet --out-dir build
	@for file in dist/*.whl dist/*.gz; do cmp $$file build/$${file##*/} || exit 1; done
	@$(PY) .ci/check_wheel.py dist/*.whl

clean: ## Remove everything that the other targets made
	rm -rf $(VENV) .venv-newest .demo dist build .coverage .hypothesis .*_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# Nothing is called done that does not exist: say so, and fail.
when = if [ -e $(1) ]; then $(2); else echo "nothing yet: make $@ will $(3)" >&2; exit 1; fi

$(READY)-demo: uv.lock .ci/install
	.ci/install demo
	@touch $@

$(READY)-dev: uv.lock .ci/install
	.ci/install demo dev cluster
	@touch $@ $(READY)-demo
