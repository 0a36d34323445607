#!/bin/bash
# The figures of docs/performance.md, each beside its baseline: about twenty minutes. Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."

lscpu | grep -E '^(Model name|CPU\(s\)|Hypervisor)' || true
uname -sr

cargo bench --locked -p patchbay-sandbox --bench calls
cargo bench --locked -p patchbay-tests --bench telegram
cargo bench --locked -p patchbay-tests --bench plugins
cargo bench --locked -p patchbay-tests --bench guests
# Runs by name: start, webhooks, sends, storm, swaps, zoo, lists; databases too: sqlite, postgres.
cargo bench --locked -p patchbay-tests --bench load -- "$@"
