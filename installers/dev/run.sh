#!/usr/bin/env bash
# The main job on one machine: the server with its embedded ClickHouse, and the app
# on this desktop. Without a display a recording is replayed instead.
# Everything it keeps lies in .run/ of the clone; delete that folder to begin anew.
set -euo pipefail
cd "$(dirname "$0")/../.."

listen=${SNAG_LISTEN:-127.0.0.1:8780}
url=http://$listen
run=$PWD/.run
bin=${CARGO_TARGET_DIR:-$PWD/target}/release
agent=("$bin/snag-agent" --data-dir "$run/agent")
server_pid='' agent_pid=''
umask 077
mkdir -p "$run"

stop() {
    trap '' INT TERM
    echo
    # The agent first: it sends what it has before the server goes.
    for pid in $agent_pid $server_pid; do
        kill -TERM "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    echo "Stopped."
}
trap 'exit 0' INT TERM
trap stop EXIT

if curl -so /dev/null --max-time 2 "$url/health"; then
    echo "Something answers at $url already. Stop it, or set SNAG_LISTEN to another address." >&2
    trap - EXIT
    exit 1
fi

if [[ ! -s $run/tokens.json ]]; then
    rm -rf "$run/server" "$run/agent"
    # One machine is no load: what is done shows within seconds, not within a minute.
    cat >"$run/policy.json" <<'JSON'
{"apps": {"mode": "deny", "apps": []},
 "sync": {"batch_age_ms": 3000, "batch_records": 500, "policy_interval_ms": 30000}}
JSON
    "$bin/snag-server" org create --local --policy "$run/policy.json" --json --name "This computer" --contact "you" \
        --data "$run/server" >"$run/tokens.json.new"
    mv "$run/tokens.json.new" "$run/tokens.json"
fi
token() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" "$run/tokens.json"; }

# Sessions of their own, so that Ctrl-C reaches this script first.
setsid "$bin/snag-server" serve --listen "$listen" --data "$run/server" </dev/null >>"$run/server.log" 2>&1 &
server_pid=$!
for _ in $(seq 300); do
    curl -sfo /dev/null --max-time 2 "$url/health" && break
    kill -0 "$server_pid" 2>/dev/null || {
        echo "The server ended; the last lines of $run/server.log:" >&2
        tail -n 5 "$run/server.log" >&2
        exit 1
    }
    sleep 0.1
done

if [[ ! -s $run/agent/identity.json ]]; then
    "${agent[@]}" enroll --server "$url" --token "$(token enroll_token)"
fi

if "${agent[@]}" status --display >/dev/null 2>&1; then
    setsid "$bin/snag-desktop" --data-dir "$run/agent" </dev/null >>"$run/agent.log" 2>&1 &
    agent_pid=$!
    captured="The app runs on this desktop: look for the knot beside the clock. It captures nothing before you have read its
  first page; a session is counted when it ends (30 minutes without input, or when you stop this)."
else
    "${agent[@]}" replay agent/recordings/demo.jsonl --send
    captured="There is no display to capture here, so a recording of a made-up morning in an invoicing program was replayed instead."
fi

cat <<TXT

Snag runs.
  $captured
  server   $url  (health: $url/health, metrics: $url/metrics)
  data     $run
  ask it   curl -s -H "Authorization: Bearer $(token analyst_token)" "$url/v1/insights/overview?product=default"
  status   ${agent[*]} status

Ctrl-C stops both.
TXT
wait -n "$server_pid" $agent_pid || true
echo "The server or the app ended by itself; see $run/server.log and $run/agent.log." >&2
exit 1
