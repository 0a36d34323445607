# run   the gateway with its embedded defaults and every plugin, on 127.0.0.1:8080
# demo  the same with a stand-in of each provider and an account connected to it
# test  every test, on SQLite and on PostgreSQL
# lint  what .ci/run checks before the tests
# bench the figures of docs/performance.md
# examples  the channels of plugins/examples, one in each language, into target/plugins/examples
.PHONY: run demo test lint plugins examples bench install

CHANNEL_PLUGINS := $(addprefix plugins/,telegram whatsapp-cloud messenger instagram \
	whatsapp-lite sms shrinkit-push tiktok linkedin shopify-inbox email web-push)
# JavaScript and Python need node and a venv, and half a minute each: only the tests build them.
EXAMPLE_PLUGINS := $(addprefix plugins/examples/,rust javascript python)
PATCHBAY := target/release/patchbay

run: install $(PATCHBAY) plugins
	PATCHBAY_PLUGINS__FOLDER=target/plugins $(PATCHBAY) serve

demo: install $(PATCHBAY) plugins
	cargo build --release --locked -p patchbay-providers
	tests/demo.sh

test: install
	$(MAKE) plugins examples PATCHBAY=target/debug/patchbay
	target/debug/patchbay plugin build plugins/telegram --out target/plugins/swap --with-version 0.1.1
	target/debug/patchbay plugin build tests/zoo --out target/plugins/zoo
	cargo test --locked --workspace

lint: install
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

bench: install $(PATCHBAY) plugins examples
	$(PATCHBAY) plugin build plugins/telegram --out target/plugins/swap --with-version 0.1.1
	$(PATCHBAY) plugin build tests/zoo --out target/plugins/zoo
	tests/bench.sh

plugins: $(PATCHBAY)
	$(PATCHBAY) plugin build $(CHANNEL_PLUGINS)

examples: $(PATCHBAY)
	$(PATCHBAY) plugin build $(EXAMPLE_PLUGINS) --out target/plugins/examples
	cd plugins/examples/javascript && node --test
	cd plugins/examples/python && PYTHONDONTWRITEBYTECODE=1 python3 -m unittest tests.test_channel

target/release/patchbay: FORCE
	cargo build --release --locked -p patchbay

target/debug/patchbay: FORCE
	# With the whole workspace, so that features are the same as the tests' and nothing is built twice.
	cargo build --locked --workspace

install:
	@.ci/install

FORCE:
