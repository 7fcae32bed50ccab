#!/usr/bin/env bash
# Deploys the test environment and a monitor for it.
#
# Usage: deploy.sh LOCATION [SSH_PUBLIC_KEY_FILE]
# Environment: HA_NVA_GROUP (ha-nva-rg), HA_NVA_MONITOR (ha-nva-test), HA_NVA_HOSTING (flex or dedicated),
#   HA_NVA_BASTION (true or false), HA_NVA_ZONES (false; true puts the machines into availability zones),
#   HA_NVA_STORAGE_SKU (Standard_LRS), HA_NVA_ALERT_EMAILS (comma-separated, none)
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$here/common.sh"

location="${1:-}"
key_file="${2:-$HOME/.ssh/id_rsa.pub}"
hosting="${HA_NVA_HOSTING:-flex}"
[[ -n "$location" ]] || fail "Usage: $0 LOCATION [SSH_PUBLIC_KEY_FILE]"
[[ -r "$key_file" ]] || fail "No public key at $key_file; make one with ssh-keygen -t rsa -b 4096."
need az "the Azure CLI deploys everything here."
need func "Azure Functions Core Tools 4 publish the monitor."
az account show --output none || fail "Log in first: az login"

if [[ "$hosting" == flex ]]; then
  # No template asks for it: the subnet is only delegated to it.
  az provider register --namespace Microsoft.App --wait
fi

echo "1/3 Network and machines in $GROUP …"
az group create --name "$GROUP" --location "$location" --output none
az deployment group create --resource-group "$GROUP" --name ha-nva-test-environment --output none \
  --template-file "$here/main.bicep" \
  --parameters "@$here/main.parameters.json" \
  --parameters location="$location" hosting="$hosting" bastion="${HA_NVA_BASTION:-true}" \
    useZones="${HA_NVA_ZONES:-false}" \
    sshPublicKey="$(<"$key_file")"

output() {
  az deployment group show --resource-group "$GROUP" --name ha-nva-test-environment \
    --query "properties.outputs.$1.value" --output tsv
}

echo "2/3 Monitor $MONITOR in $MONITOR_GROUP …"
az deployment sub create --location "$location" --name "$MONITOR" --output none \
  --template-file "$here/../main.bicep" \
  --parameters environmentName="$MONITOR" location="$location" resourceGroupName="$MONITOR_GROUP" \
    hosting="$hosting" storageSku="${HA_NVA_STORAGE_SKU:-Standard_LRS}" alertEmails="${HA_NVA_ALERT_EMAILS:-}" \
    existingFunctionSubnetId="$(output functionSubnetId)" \
    existingPrivateEndpointSubnetId="$(output privateEndpointSubnetId)" networkScopes="$(output networkScopes)" \
    config="$(output config)"
monitor_output() {
  az deployment sub show --name "$MONITOR" --query "properties.outputs.$1.value" --output tsv
}
app="$(monitor_output AZURE_FUNCTION_APP_NAME)"

echo "3/3 Code of $app …"
published=true
(cd "$here/../.." && func azure functionapp publish "$app" --python --build remote) || published=false

echo
echo "The page:    http://$(public_address)/"
echo "The monitor: $(monitor_output NVAHA_URL)/api/health"
echo "Alerts:      $(monitor_output NVAHA_ALERTING)"
echo "Next:        $here/watch.sh in one terminal, $here/break-active.sh in another"
# Core Tools also fail when the code is there and the host has not begun, as in the first minutes of a new app.
[[ "$published" == true ]] || fail "
Core Tools ended with an error, above. If it is \"the app appears to be unhealthy\", wait for 200 from the monitor's
address: until its roles have arrived, which takes minutes, the app does not begin. Anything else: run this again."
