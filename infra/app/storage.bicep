@minLength(3)
@maxLength(24)
@description('Name of the storage account.')
param name string

@description('Region of the storage account.')
param location string

@description('Tags of the storage account.')
param tags object

@description('Redundancy of the storage account.')
param skuName string

@allowed([
  'Enabled'
  'Disabled'
])
@description('Whether the public endpoint answers at all; Disabled leaves private endpoints only.')
param publicNetworkAccess string

@allowed([
  'Allow'
  'Deny'
])
@description('What the public endpoint does with a network that is not listed.')
param defaultAction string

@description('Subnets that the public endpoint answers; each needs a storage service endpoint.')
param subnetIds array

@description('Whether a lock keeps the account from being deleted.')
param deleteLock bool

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  // checkov:skip=CKV_AZURE_206: the redundancy is a parameter; ZRS, which outlives a zone, is refused in regions without zones
  // checkov:skip=CKV_AZURE_35: it is Deny but on Flex Consumption without private endpoints, whose subnets take no service endpoint
  // checkov:skip=CKV_AZURE_43: the name is st and a hash of 13 letters and digits; only its parameter is seen here
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: skuName
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    isLocalUserEnabled: false
    isSftpEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: publicNetworkAccess
    networkAcls: {
      defaultAction: defaultAction
      bypass: 'AzureServices'
      virtualNetworkRules: [for subnetId in subnetIds: {
        id: subnetId
        action: 'Allow'
      }]
    }
  }
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (deleteLock) {
  scope: account
  name: 'nvaha-state'
  properties: {
    level: 'CanNotDelete'
    notes: 'The state of the monitors: pauses, guards and history. Nothing brings it back once it is deleted.'
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

resource deployments 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: blobs
  name: 'app-package'
  properties: {
    publicAccess: 'None'
  }
}

@description('Resource id of the storage account.')
output id string = account.id

@description('Name of the storage account.')
output name string = account.name

@description('Container that Flex Consumption reads the app\'s package from.')
output deploymentContainerUrl string = '${account.properties.primaryEndpoints.blob}${deployments.name}'
