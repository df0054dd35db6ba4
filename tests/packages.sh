# Sourced by examples/run and tests/run: names the tools that a script needs and installs the Debian packages that bring them.
#
#   need COMMAND-OR-FILE PACKAGE     notes PACKAGE if COMMAND is not on the PATH (or FILE does not exist)
#   install_packages                 installs what was noted; on a machine where that is not possible it says so and goes on,
#                                    except in CI (CI=true), where nothing may be missing

missing_packages=

need() {
    case $1 in
        /*) [ -e "$1" ] && return ;;
        *) command -v "$1" >/dev/null && return ;;
    esac
    case " $missing_packages " in
        *" $2 "*) ;;
        *) missing_packages="$missing_packages $2" ;;
    esac
}

install_packages() {
    [ -n "$missing_packages" ] || return 0
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    echo "installing:$missing_packages"
    # shellcheck disable=SC2086 -- the list is meant to be split
    if command -v apt-get >/dev/null && $as_root apt-get update -qq >/dev/null \
        && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing_packages >/dev/null; then
        return 0
    fi
    echo "could not install:$missing_packages" >&2
    [ "${CI:-}" != true ] || exit 1
}
