// The state of all monitors in an account of its own, in a resource group that outlives each of them.
// Each monitor is then deployed with its id as existingStateStorageId.
targetScope = 'resourceGroup'

@description('Region of the account.')
param location string = resourceGroup().location

@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GZRS'
])
@description('Redundancy of the account, as for main.bicep; docs/disaster-recovery.md says what Standard_GZRS does and does not mean here.')
param storageSku string = 'Standard_LRS'

@description('Lock the account against being deleted; whoever deploys needs the right to write locks, as Owner and User Access Administrator have it.')
param storageDeleteLock bool = true

@description('Reach the account through the monitors\' private endpoints only. Without them its public endpoint answers storageSubnetIds, or every network if there are none; always to Entra identities only.')
param privateEndpoints bool = true

@description('Without private endpoints: comma-separated ids of the subnets of dedicated monitors, the only ones that the account then answers.')
param storageSubnetIds string = ''

@allowed([
  'off'
  'changes'
  'all'
])
@description('Log the requests to the account, as for main.bicep, which does so for a monitor\'s own account only; docs/audit.md says what they show.')
param storageLogs string = 'off'

@description('Workspace that the requests are logged in, such as the output NVAHA_WORKSPACE_ID of a monitor; needed with storageLogs.')
param storageLogsWorkspaceId string = ''

@description('Tags of the account.')
param tags object = {}

var abbreviations = loadJsonContent('./abbreviations.json')
var storageLogCategories = loadJsonContent('./storage-log-categories.json')
var subnetIds = empty(storageSubnetIds) || privateEndpoints ? [] : split(replace(storageSubnetIds, ' ', ''), ',')

module storage './app/storage.bicep' = {
  name: 'nvaha-state'
  params: {
    name: '${abbreviations.storageAccount}${uniqueString(resourceGroup().id, 'nvaha-state')}'
    location: location
    tags: tags
    skuName: storageSku
    publicNetworkAccess: privateEndpoints ? 'Disabled' : 'Enabled'
    defaultAction: privateEndpoints || !empty(subnetIds) ? 'Deny' : 'Allow'
    subnetIds: subnetIds
    deleteLock: storageDeleteLock
  }
}

module storageLogging './app/storage-logs.bicep' = if (storageLogs != 'off') {
  name: 'nvaha-state-logs'
  params: {
    storageAccountName: storage.outputs.name
    workspaceId: empty(storageLogsWorkspaceId) ? fail('storageLogs needs storageLogsWorkspaceId beside it.') : storageLogsWorkspaceId
    categories: storageLogCategories[storageLogs]
  }
}

@description('Id of the account, for each monitor\'s existingStateStorageId.')
output NVAHA_STATE_STORAGE_ID string = storage.outputs.id
