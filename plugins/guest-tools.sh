#!/bin/bash
# Finds, or installs, what makes components of JavaScript (`guest-tools.sh javascript`) or Python (`guest-tools.sh python`) and prints
# its folder on stdout: nothing else goes there. Progress and reasons go to stderr.
#
# The tools are kept in a private folder, one for each version, and installed once for all projects: nothing goes into the system,
# and no root is needed. Safe when several run at once (one installs, the others wait) and when interrupted.
#
# PATCHBAY_TOOLS  the private folder (${XDG_CACHE_HOME:-$HOME/.cache}/patchbay)

set -euo pipefail

readonly componentize_js=0.23.0 esbuild=0.28.2 componentize_py=0.25.1
readonly root="${PATCHBAY_TOOLS:-${XDG_CACHE_HOME:-${HOME:?HOME or PATCHBAY_TOOLS is needed}/.cache}/patchbay}"
# Seconds: some 390 MB (JavaScript) or 70 MB (Python) of files.
readonly install_bound=900

say() { printf 'guest-tools: %s\n' "$*" >&2; }
give_up() { say "$*"; exit 1; }

case "${1:-}" in
  javascript)
    folder="$root/componentize-js-$componentize_js"
    command -v node >/dev/null && command -v npm >/dev/null ||
      give_up "a JavaScript plugin needs node (20 or later) and npm: install them (on Debian: apt-get install nodejs npm)"
    ;;
  python)
    folder="$root/componentize-py-$componentize_py"
    command -v python3 >/dev/null || give_up "a Python plugin needs python3 (3.10 or later): install it (on Debian: apt-get install python3-venv)"
    ;;
  *) give_up "which: javascript or python?" ;;
esac
readonly folder

if [[ -e "$folder/complete" ]]; then printf '%s\n' "$folder"; exit 0; fi
command -v flock >/dev/null || give_up "flock isn't here: install util-linux"
mkdir -p "$root"
exec 9>"$folder.lock"
flock --timeout "$install_bound" 9 || give_up "another run holds $folder.lock for too long"
if [[ -e "$folder/complete" ]]; then printf '%s\n' "$folder"; exit 0; fi

# In its own place from the start, because a venv knows its path: only the mark at the end says that it is whole.
rm -rf "$folder"
mkdir -p "$folder"
trap 'exit 130' INT TERM HUP
if [[ "$1" == javascript ]]; then
  say "installing componentize-js $componentize_js and esbuild $esbuild into $folder (once, about half a minute)"
  (
    cd "$folder"
    printf '{"private": true, "type": "module"}\n' >package.json
    timeout "$install_bound" npm install --no-audit --no-fund --loglevel error --save-exact \
      "@bytecodealliance/componentize-js@$componentize_js" "esbuild@$esbuild" >&2
  ) || give_up "npm could not install the tools: see the lines above, and try again"
else
  say "installing componentize-py $componentize_py into $folder (once)"
  python3 -m venv "$folder" >&2 || give_up "python3 has no venv: install it (on Debian: apt-get install python3-venv)"
  timeout "$install_bound" "$folder/bin/pip" install --quiet --disable-pip-version-check "componentize-py==$componentize_py" >&2 ||
    give_up "pip could not install componentize-py: see the lines above, and try again"
fi
touch "$folder/complete"
printf '%s\n' "$folder"
