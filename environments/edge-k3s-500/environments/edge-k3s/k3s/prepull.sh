#!/bin/sh
# Writes the images of the stable and the canary releases into the folder from which K3s pulls images
# ahead of time and keeps them. A site then starts a release without its registry, and comes back with
# the last good one. Runs as root on the site, from tidegate-prepull.timer.
#
# What the repository holds is foreign text: a name or a line of another form is refused, nothing of it
# is ever run, and no file of it is checked out. Where something is refused or away, the images listed
# before stay listed. The list changes by one rename, so a power cut leaves the old one or the new one.
set -eu
LC_ALL=C
export LC_ALL
umask 022

repository=${TIDEGATE_REPOSITORY:-}
branch=${TIDEGATE_BRANCH:-main}
environment=${TIDEGATE_ENVIRONMENT:-edge-k3s}
images=${TIDEGATE_IMAGES:-/var/lib/rancher/k3s/agent/images}
state=${TIDEGATE_STATE:-/var/lib/tidegate}

NAME='[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?'
RELEASE='v[0-9]{1,9}-[0-9a-f]{8}'
IMAGE='[A-Za-z0-9][A-Za-z0-9._/:-]{0,254}@sha256:[0-9a-f]{64}'
MOST_BYTES=65536
MOST_IMAGES=1000
GIT_TERMINAL_PROMPT=0
GIT_ALLOW_PROTOCOL=https:ssh:file
export GIT_TERMINAL_PROMPT GIT_ALLOW_PROTOCOL

say() { printf 'tidegate-prepull: %s\n' "$1"; }
fail() { say "$1; the list stays as it is" >&2; exit 1; }
refuse() { say "$1; what was listed before stays listed" >&2; refused=yes; }

# Says whether a text is one line that matches as a whole.
is() {
    case $1 in *'
'*) return 1 ;; esac
    printf '%s\n' "$1" | grep -Eqx -e "$2"
}

run_git() {
    git --git-dir="$state/git" -c core.hooksPath=/dev/null -c gc.autoDetach=false \
        -c maintenance.autoDetach=false -c http.lowSpeedLimit=100 -c http.lowSpeedTime=60 "$@"
}

# Brings the newest commit with its folders; a file comes when it is read.
fetch() {
    if [ ! -f "$state/git/HEAD" ]; then
        rm -rf "$state/git" && git init -q --bare --template= "$state/git" || return 1
    fi
    run_git config remote.origin.url "$repository" &&
        run_git fetch -q --depth=1 --filter=blob:none --no-tags \
            origin "+refs/heads/$branch:refs/tidegate/head"
}

# Prints one file of the commit, when it is small enough to be what it should be.
show() {
    size=$(run_git cat-file -s "$commit:$1" 2>/dev/null) && [ "$size" -le "$MOST_BYTES" ] &&
        run_git cat-file blob "$commit:$1" 2>/dev/null
}

# Adds the images of one release, or none of them.
add_release() {
    path=releases/$environment/$model/$1/images.txt
    if ! show "$path" >"$work/images" || [ ! -s "$work/images" ]; then
        refuse "$path cannot be read"
    elif grep -Evqx -e "$IMAGE" "$work/images"; then
        refuse "$path holds something else than images by digest"
    else
        cat "$work/images" >>"$work/found"
    fi
}

# Adds the stable and the canary release of one model.
add_model() {
    path=rollouts/$environment/$model.yaml
    if ! show "$path" >"$work/rollout"; then
        refuse "$path cannot be read"
        return
    fi
    sed -nE "s/^(stable|canary):[ ]+[\"']?($RELEASE)[\"']?([ ]+#.*)?\$/\\2/p" \
        "$work/rollout" >"$work/releases"
    named=$(grep -Ec '^(stable|canary)[^a-z]' "$work/rollout") || named=0
    if [ "$named" -ne "$(wc -l <"$work/releases")" ]; then
        refuse "$path names something else than a release"
    fi
    while IFS= read -r release; do
        add_release "$release"
    done <"$work/releases"
}

is "$repository" '(https|ssh|file)://[!-~]+|[a-z0-9._-]+@[A-Za-z0-9._-]+:[!-~]+' ||
    fail 'TIDEGATE_REPOSITORY must be https://..., ssh://..., file://... or user@host:path'
is "$branch" '[A-Za-z0-9][A-Za-z0-9._/-]*' || fail 'TIDEGATE_BRANCH is not the name of a branch'
is "$environment" "$NAME" || fail 'TIDEGATE_ENVIRONMENT is not the name of an environment'
is "$images" '/[A-Za-z0-9._/-]+' || fail 'TIDEGATE_IMAGES must be a plain absolute path'
is "$state" '/[A-Za-z0-9._/-]+' || fail 'TIDEGATE_STATE must be a plain absolute path'

mkdir -p "$images" "$state"
rm -rf "$state"/work.* "$images"/.tidegate-images.*
list=$images/tidegate-images.txt
new=$images/.tidegate-images.$$   # without .txt, so that K3s does not read it
work=$state/work.$$
trap 'rm -rf "$work" "$new"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$work"

head=$(git ls-remote -- "$repository" "refs/heads/$branch" 2>"$work/why") ||
    fail "the repository cannot be reached: $(tail -n 1 "$work/why")"
head=${head%%[!0-9a-f]*}
[ -n "$head" ] || fail "the repository has no branch $branch"
done_for="$head $environment $repository"
if [ -f "$list" ] && [ "$(cat "$state/done" 2>/dev/null)" = "$done_for" ]; then
    exit 0
fi

# A fetch that was killed can leave a lock behind; then it starts from nothing, once.
if ! fetch 2>/dev/null; then
    rm -rf "$state/git"
    fetch 2>"$work/why" || fail "nothing could be fetched: $(tail -n 1 "$work/why")"
fi
commit=$(run_git rev-parse --verify -q 'refs/tidegate/head^{commit}') || fail 'no commit was fetched'
run_git ls-tree --name-only "$commit" "rollouts/$environment/" >"$work/rollouts" ||
    fail "the rollouts of $environment cannot be listed"

refused=
: >"$work/found"
while IFS= read -r path; do
    model=${path##*/}
    model=${model%.yaml}
    if is "$path" "rollouts/$environment/$NAME\\.yaml"; then
        add_model
    fi
done <"$work/rollouts"

if [ -n "$refused" ] && [ -f "$list" ]; then
    grep -Ex -e "$IMAGE" "$list" >>"$work/found" || true
fi
sort -u "$work/found" >"$new"
count=$(wc -l <"$new")
count=$((count))
[ "$count" -le "$MOST_IMAGES" ] || fail "$count images are more than $MOST_IMAGES"
if [ "$count" -eq 0 ]; then
    say "no release is out in $environment; nothing to list"
elif cmp -s "$new" "$list"; then
    say "$count images, as before"
else
    sync
    mv -f "$new" "$list"
    say "$count images listed"
fi
[ -z "$refused" ] || exit 1
printf '%s\n' "$done_for" >"$work/done"
mv -f "$work/done" "$state/done"
