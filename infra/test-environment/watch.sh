#!/usr/bin/env bash
# Prints each second whether the public page answers, and every few seconds where route and public IP point.
#
# Usage: watch.sh [SECONDS]   (600)
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$here/common.sh"
need az "the Azure CLI reads routes and public IP."
need curl "it asks for the page."

seconds="${1:-600}"
address="$(public_address)"
state="$(mktemp)"
trap 'rm -f "$state" "$state.new"' EXIT
echo "time      page  route to       public IP at"
for ((second = 0; second < seconds; second++)); do
  # The Azure CLI takes seconds; it must not hold up the page's line.
  if ((second % 5 == 0)); then
    (printf '%-13s %s' "$(next_hop)" "$(public_ip_owner)" >"$state.new" && mv "$state.new" "$state") 2>/dev/null &
  fi
  code="$(curl --silent --output /dev/null --max-time 1 --write-out '%{http_code}' "http://$address/" || true)"
  printf '%s  %s   %s\n' "$(date -u +%T)" "$code" "$(<"$state")"
  sleep 1
done
wait
