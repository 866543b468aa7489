# The two commands of README.md. Both set themselves up; nothing outside this folder is touched.
PYTHON ?= python3
VENV   ?= .venv
PREFIX ?= /opt/gsmbridge
RUN    := $(VENV)/bin

.PHONY: demo test bench lint install uninstall deb clean

demo: $(VENV)/ready          ## the main job on two simulated modems; KEEP=1 leaves it running
	@$(RUN)/gsmbridge demo $(if $(KEEP),--keep)

test: $(VENV)/ready-test lint  ## everything CI runs
	$(RUN)/pytest -n auto --dist loadgroup tests

lint: $(VENV)/ready-test
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

bench: $(VENV)/ready-test    ## the README's figures, measured here: a table and benchmarks/results/*.json
	$(RUN)/python -m benchmarks

$(VENV)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("gsm-bridge needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@test -x $(RUN)/python || $(PYTHON) -m venv $(VENV) || { echo "The venv module is missing: sudo apt install python3-venv"; exit 1; }
	@echo "Installing gsm-bridge and its libraries into $(VENV) (once, about a minute) ..."
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/ready-test: $(VENV)/ready
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

install:                     ## sudo make install: the program into /opt/gsmbridge, units and udev rules to their places
	$(PYTHON) -m venv $(PREFIX)
	$(PREFIX)/bin/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore .
	ln -sf $(PREFIX)/bin/gsmbridge /usr/local/bin/gsmbridge
	$(PREFIX)/bin/gsmbridge install --command $(PREFIX)/bin/gsmbridge

uninstall:                   ## configuration and state stay
	-systemctl disable --now gsmbridge.service gsmbridge-usb.socket
	-$(PREFIX)/bin/gsmbridge install --remove
	rm -rf $(PREFIX) /usr/local/bin/gsmbridge

deb: $(VENV)/ready           ## dist/gsmbridge_VERSION_ARCH.deb, everything it needs inside
	systemd/debian/build.sh $(RUN)/python dist

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
