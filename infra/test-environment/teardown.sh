#!/usr/bin/env bash
# Deletes the test environment, its monitor and the monitor's role definition, after asking.
#
# Usage: teardown.sh [--yes]
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$here/common.sh"
need az "the Azure CLI does the deleting."

if [[ "${1:-}" != "--yes" ]]; then
  read -r -p "Delete the resource groups $GROUP and $MONITOR_GROUP with everything in them? [y/N] " answer
  [[ "$answer" == [yY] ]] || fail "Nothing was deleted."
fi

role="$(az deployment sub show --name "$MONITOR" --query properties.outputs.NVAHA_OPERATOR_ROLE_ID.value \
  --output tsv 2>/dev/null || true)"
for group in "$MONITOR_GROUP" "$GROUP"; do
  if [[ "$(az group exists --name "$group")" == true ]]; then
    echo "Deleting $group …"
    az group delete --name "$group" --yes
  fi
done
# The assignments went with the groups; a definition that is still assigned cannot be deleted.
if [[ -n "$role" ]]; then
  az role definition delete --name "${role##*/}" --custom-role-only true
fi
