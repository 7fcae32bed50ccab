#!/usr/bin/env bash
# Breaks the NVA that is active now, in one of three ways, or mends both.
#
# Usage: break-active.sh [stop|refuse|silent|mend]
#   stop    power the machine off (default)
#   refuse  stop SSH, so that probes are refused at once
#   silent  drop every packet, so that probes run into their timeout
#   mend    start both NVAs and undo refuse and silent
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$here/common.sh"
need az "the Azure CLI does the breaking."

run_on() {
  az vm run-command invoke --resource-group "$GROUP" --name "$1" --command-id RunShellScript \
    --scripts "$2" --output none
}

way="${1:-stop}"
case "$way" in
  stop | refuse | silent)
    nva="$(active_nva)"
    echo "$(date -u +%T) $nva is active; breaking it ($way) …"
    ;;
esac

case "$way" in
  stop)
    az vm stop --resource-group "$GROUP" --name "$nva" --skip-shutdown --output none
    ;;
  refuse)
    run_on "$nva" 'systemctl stop ssh.socket ssh.service'
    ;;
  silent)
    # The agent's own address stays open, so that mend can get in.
    run_on "$nva" 'nft add table inet broken; nft add chain inet broken input "{ type filter hook input priority -200; }"; nft add rule inet broken input ip saddr != 168.63.129.16 drop; nft add chain inet broken forward "{ type filter hook forward priority -200; policy drop; }"'
    ;;
  mend)
    for nva in ha-nva-vm1 ha-nva-vm2; do
      az vm start --resource-group "$GROUP" --name "$nva" --output none
      run_on "$nva" 'nft delete table inet broken 2>/dev/null; systemctl start ssh.socket ssh.service'
    done
    ;;
  *)
    fail "Usage: $0 [stop|refuse|silent|mend]"
    ;;
esac
echo "$(date -u +%T) done ($way)"
