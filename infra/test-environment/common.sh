# Shared by the scripts beside it; sourced, not run.
# shellcheck shell=bash
set -euo pipefail

GROUP="${HA_NVA_GROUP:-ha-nva-rg}"
MONITOR="${HA_NVA_MONITOR:-ha-nva-test}"
MONITOR_GROUP="rg-${MONITOR}"
export GROUP MONITOR MONITOR_GROUP

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

need() {
  command -v "$1" >/dev/null || fail "$1 is not installed: $2"
}

next_hop() {
  az network route-table route show --resource-group "$GROUP" --route-table-name ha-nva-udr \
    --name default --query nextHopIpAddress --output tsv
}

# The NVA whose internal address the web servers' default route points at.
active_nva() {
  local hop
  hop="$(next_hop)"
  case "$hop" in
    10.0.0.100) echo ha-nva-vm1 ;;
    10.0.0.101) echo ha-nva-vm2 ;;
    *) fail "The default route points at ${hop:-nothing}, which is neither NVA." ;;
  esac
}

public_address() {
  az network public-ip show --resource-group "$GROUP" --name ha-nva-pip --query ipAddress --output tsv
}

public_ip_owner() {
  az network public-ip show --resource-group "$GROUP" --name ha-nva-pip \
    --query "ipConfiguration.id" --output tsv | sed -n 's#.*/networkInterfaces/\([^/]*\)/.*#\1#p'
}
