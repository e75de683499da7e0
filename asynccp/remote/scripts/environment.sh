# Nothing that the container's environment says may change what is copied. Of bash that includes functions and options
# (BASH_FUNC_*, SHELLOPTS, BASHOPTS); LD_PRELOAD and its like are the container's own business.
unset IFS CDPATH ENV BASH_ENV GLOBIGNORE FUNCNEST EXECIGNORE POSIXLY_CORRECT _POSIX2_VERSION
unset TAR_OPTIONS TAR_READER_OPTIONS TAR_WRITER_OPTIONS TAPE TAR_RSH RSH VERSION_CONTROL SIMPLE_BACKUP_SUFFIX
unset GZIP GZIP_OPT ZSTD_CLEVEL ZSTD_NBTHREADS QUOTING_STYLE TIME_STYLE BLOCK_SIZE BLOCKSIZE LS_BLOCK_SIZE
unset GREP_OPTIONS
# Ours, and not for programs; then words that not each request has.
unset a c e f h k l m o p w z at below bytes entries into mount more names rest size some
unset copy_links one_file_system follow renames pid root cwd swaps keep place
unset -f tar mkdir mv rm rmdir chmod chown touch stat find cat head sleep gzip zstd cksum md5sum sha256sum
unset -f cd grep kill ls printf pwd readlink umask wait
set +aefuvx +C +m
# shellcheck disable=SC3044 # where there is one
if command -v shopt >/dev/null; then
    shopt -u dotglob extglob failglob globstar lastpipe nocaseglob nocasematch nullglob
    shopt -uo physical pipefail
fi 2>/dev/null # an old one may not know all of them
export LC_ALL=C

# Arguments: token, size of the script, directory, name, then NAME=VALUE words of ours.
t=$1 d=$3 n=$4
shift 4
for w; do eval "${w%%=*}=\${w#*=}"; done
if [ "$more_path" ]; then PATH=$PATH:$more_path; fi
exec 3<&0 4>&1
# is_own PROGRAM: whether it is of the shell's own kind, BusyBox. That needs not be asked what it is: it would unpack all of
# its help to say that it doesn't know the question, which takes 3 ms.
is_own() {
    set -- "$1" "$(command -v "$1")"
    # shellcheck disable=SC3013 # where a test doesn't know it, the program is asked
    [ "$2" = "$1" ] || [ "/proc/$$/exe" -ef "$2" ] 2>/dev/null
}
say() { printf 'asynccp %s %s\n' "$t" "$*"; }
note() { printf 'asynccp %s %s\n' "$t" "$*" >&2; }
