/**
 * Shell words that become the repository's program `$script`, with the arguments there are. It need not be executable, as with
 * repo2docker, and is not made so: Git would see that.
 */
export const BECOME = `if [ -x "$script" ]; then exec "$script" "$@"; fi
IFS= read -r line < "$script"
case $line in '#!'*) exec \${line#??} "$script" "$@" ;; esac
exec /bin/sh "$script" "$@"`;
