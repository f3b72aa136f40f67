# make demo      the whole program without an account, in under a minute; KEEP=1 keeps the page open until Ctrl-C
# make test      every check: format, lint, types, imports, tests
# make torture   the long attacks: 200 kills, 1 000 reloads, odd inputs, the model; SEED=7 repeats a run
# make soak      the daemon for MINUTES=30 with thousands of jobs; fails if it grows
# make bench     figures next to bare loops of the same client, with their bars, in half an hour (needs nginx); PART=size for one
# make screenshots   pictures of pages and messages, and docs/screens.md (needs Chromium, faketime and fonts-noto-color-emoji)
# make golden    the golden files of all messages, to be read before they are committed
# make matrix    the tests on each installed Python, with the newest and the lowest dependencies (needs uv); TESTS=tests/core
# make lock      renew the lock files from pyproject.toml (needs uv)
# make man       the manual pages, from help and schema: docs/man/
# make docs      the documentation site in site/, with warnings as errors
# make release   every gate, then wheel, sdist, Debian packages and SBOM in dist/, built twice; GATES=skip only builds
# make deb-test  the Debian packages in dist/: installed, upgraded, removed and purged in clean roots (needs root, debootstrap, systemd-nspawn)
# make sbom      what a release installs, as CycloneDX: dist/gemwatch.cdx.json
# make audit     known vulnerabilities of what a release installs (needs network access)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(shell find daemon migrations -type f -not -path '*/__pycache__/*') pyproject.toml README.md LICENSE

.PHONY: demo test check torture soak bench screenshots golden man docs release deb-test lock clean

demo: $(VENV)/.gemwatch
	@$(BIN)/gemwatch demo $(if $(KEEP),--keep-running)

test: check
	@PYTHONPATH=tests $(BIN)/python -m support.install_tools
	$(BIN)/python -m pytest --numprocesses auto

torture: $(VENV)/.dev $(VENV)/.gemwatch
	PYTHONPATH=tests $(BIN)/python -m torture $(if $(SEED),--seed $(SEED))

soak: $(VENV)/.dev $(VENV)/.gemwatch
	PYTHONPATH=tests $(BIN)/python -m torture.soak --minutes $(or $(MINUTES),30)

bench: $(VENV)/.dev $(VENV)/.gemwatch
	PYTHONPATH=. $(BIN)/python -m bench $(PART) $(if $(JSON),--json $(JSON))

screenshots: $(VENV)/.dev $(VENV)/.gemwatch
	PYTHONPATH=tests $(BIN)/python -m support.pictures docs
	PYTHONPATH=tests $(BIN)/python -m support.screens

golden: $(VENV)/.dev $(VENV)/.gemwatch
	PYTHONPATH=tests $(BIN)/python -m support.messages
	PYTHONPATH=tests $(BIN)/python -m support.wire

check: $(VENV)/.dev $(VENV)/.gemwatch
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The program as users get it: built and installed, not run from the checkout.
$(VENV)/.gemwatch: $(VENV)/.run $(SOURCES)
	@$(BIN)/python -m pip install --quiet --no-deps --force-reinstall .
	@touch $@

$(VENV)/.run: requirements.lock
	@echo "Setting up in $(VENV), once."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gemwatch needs Python 3.11 or later: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

matrix:
	tests/matrix.sh --numprocesses auto $(TESTS)

RELEASE := .venvs/release
$(RELEASE)/.done: requirements-release.lock
	@$(PYTHON) -m venv $(RELEASE)
	@$(RELEASE)/bin/python -m pip install --quiet --require-hashes -r requirements-release.lock
	@touch $@

man: $(VENV)/.gemwatch
	PYTHONPATH=. $(BIN)/python -m release.man docs/man

release: $(RELEASE)/.done $(VENV)/.gemwatch
	PYTHONPATH=. $(RELEASE)/bin/python -m release $(if $(filter skip,$(GATES)),--skip-gates) --program $(abspath $(BIN))/python

deb-test:
	release/test_deb.sh dist

SITE := .venvs/docs
$(SITE)/.done: requirements-docs.lock
	@$(PYTHON) -m venv $(SITE)
	@$(SITE)/bin/python -m pip install --quiet --require-hashes -r requirements-docs.lock
	@touch $@

docs: $(SITE)/.done $(VENV)/.gemwatch
	PYTHONPATH=. $(BIN)/python -m release.site build/docs
	NO_MKDOCS_2_WARNING=1 $(SITE)/bin/mkdocs build --quiet --strict

sbom: $(RELEASE)/.done
	@mkdir -p dist
	$(RELEASE)/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --mc-type application \
		--output-reproducible --output-format JSON --output-file dist/gemwatch.cdx.json

audit: $(RELEASE)/.done
	@for lock in azure postgresql azure-cli; do \
		$(RELEASE)/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements-$$lock.lock || { \
			echo "make audit: requirements-$$lock.lock did not pass: either a package has a known vulnerability," \
				"which is listed above, or the vulnerability data could not be reached from this machine." >&2; exit 1; }; \
	done

lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --extra azure -c requirements.lock -o requirements-azure.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --extra postgresql -c requirements.lock -o requirements-postgresql.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group release -o requirements-release.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group docs -o requirements-docs.lock
	echo azure-cli | uv pip compile --quiet --python-version 3.13 --python-platform linux --only-binary :all: --generate-hashes --no-header --no-annotate - -o requirements-azure-cli.lock

clean:
	rm -rf $(VENV) .venvs .matrix dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
