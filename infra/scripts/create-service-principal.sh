#!/usr/bin/env bash
# Creates a service principal for a monitor that has no managed identity, with a secret or a certificate in a
# Key Vault, and assigns the operator role to it. Neither secret nor private key is printed or stored on disk.
#
# Usage: create-service-principal.sh --name NAME --vault VAULT --role ROLE_ID --scopes "ID …"
#          [--certificate] [--years N]
#   --name         display name of the application; also the name of the secret or certificate
#   --vault        Key Vault that you may write secrets or certificates to
#   --role         role definition, such as the output NVAHA_OPERATOR_ROLE_ID of infra/main.bicep
#   --scopes       resource groups or resources to assign the role on, separated by spaces
#   --certificate  a certificate instead of a secret
#   --years        validity (1)
set -euo pipefail

usage() {
  sed -n '5,13s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

name="" vault="" role="" scopes="" certificate=false years=1
while (($#)); do
  case "$1" in
    --name) name="${2:?}" && shift 2 ;;
    --vault) vault="${2:?}" && shift 2 ;;
    --role) role="${2:?}" && shift 2 ;;
    --scopes) scopes="${2:?}" && shift 2 ;;
    --years) years="${2:?}" && shift 2 ;;
    --certificate) certificate=true && shift ;;
    *) usage ;;
  esac
done
[[ -n "$name" && -n "$vault" && -n "$role" && -n "$scopes" ]] || usage
command -v az >/dev/null || { echo "The Azure CLI is not installed." >&2; exit 1; }

app_id="$(az ad app list --filter "displayName eq '$name'" --query '[0].appId' --output tsv)"
if [[ -z "$app_id" ]]; then
  app_id="$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg --query appId --output tsv)"
fi
object_id="$(az ad sp list --filter "appId eq '$app_id'" --query '[0].id' --output tsv)"
if [[ -z "$object_id" ]]; then
  object_id="$(az ad sp create --id "$app_id" --query id --output tsv)"
fi

if "$certificate"; then
  # The vault makes the key; only the public part goes to the application.
  az ad app credential reset --id "$app_id" --append --create-cert --keyvault "$vault" --cert "$name" \
    --years "$years" --output none
else
  # Through a pipe: an argument would show in the list of processes.
  az ad app credential reset --id "$app_id" --append --display-name nvaha --years "$years" \
    --query password --output tsv |
    tr -d '\n' |
    az keyvault secret set --vault-name "$vault" --name "$name" --file /dev/stdin --output none
fi

read -r -a scope_list <<<"$scopes"
for scope in "${scope_list[@]}"; do
  az role assignment create --assignee-object-id "$object_id" --assignee-principal-type ServicePrincipal \
    --role "$role" --scope "$scope" --output none
done

echo "Application settings for the monitor (extraAppSettings of infra/main.bicep):"
echo "  AZURE_TENANT_ID                $(az account show --query tenantId --output tsv)"
echo "  AZURE_CLIENT_ID                $app_id"
if "$certificate"; then
  echo "  AZURE_CLIENT_CERTIFICATE_PATH  where the app finds the certificate; docs/security.md says how"
else
  echo "  AZURE_CLIENT_SECRET            @Microsoft.KeyVault(SecretUri=$(az keyvault secret show \
    --vault-name "$vault" --name "$name" --query id --output tsv | sed 's#/[^/]*$##'))"
fi
