@description('Name of the function app.')
param name string

@description('Name of its plan.')
param planName string

@description('Region of both.')
param location string

@description('Tags of both.')
param tags object

@description('Flex Consumption, or one dedicated Linux B1 instance.')
param flex bool

@description('Python version.')
param pythonVersion string

@description('Flex: memory of one instance in MB.')
param instanceMemoryMB int

@description('Flex: the most instances.')
param maximumInstanceCount int

@description('Flex: instances kept ready for each of probe and switch.')
param alwaysReadyInstances int

@description('Flex: spread over availability zones.')
param zoneRedundant bool

@description('Flex: Recreate, RollingUpdate, or empty.')
param updateStrategy string

@description('Resource id of the monitor\'s identity.')
param identityId string

@description('Client id of the monitor\'s identity.')
param identityClientId string

@description('Storage account of the Functions host.')
param storageAccountName string

@description('Flex: container of the app\'s package.')
param deploymentContainerUrl string

@description('Storage account with the state, where it is another monitor\'s; empty uses the host\'s.')
param stateStorageAccountName string

@description('Delegated subnet for VNet integration.')
param subnetId string

@description('Connection string of Application Insights.')
param applicationInsightsConnectionString string

@maxLength(32)
@description('Id that keeps this host\'s timer locks apart from other hosts\' on a shared account.')
param hostId string

@description('NVAHA_CONFIG.')
param config string

@description('NVAHA_SCHEDULE.')
param schedule string

@description('NVAHA_CLOUD.')
param cloud string

@description('NVAHA_INSTANCE; empty leaves it out.')
param instanceName string

@description('NVAHA_ARM_API_VERSION; empty leaves it out.')
param armApiVersion string

@description('NVAHA_ARM_ENDPOINT; empty leaves it out.')
param armEndpoint string

@description('NVAHA_ARM_CA; empty leaves it out.')
param armCa string

@secure()
@description('NVAHA_PING_URL; empty pings nobody.')
param pingUrl string

@description('Whether traces and metrics go to Application Insights by OpenTelemetry.')
param openTelemetry bool

@secure()
@description('Further application settings; they win over the ones set here.')
param extraAppSettings object

@description('Address ranges that may call the app; empty for all.')
param allowedIpRanges array

@description('Whether Azure Monitor\'s availability tests may call the app as well, where allowedIpRanges keeps others out.')
param allowAvailabilityTests bool

var suffix = environment().suffixes.storage
var sharesState = !empty(stateStorageAccountName)

var hostSettings = {
  AzureFunctionsWebHost__hostid: hostId
  AzureWebJobsStorage__accountName: storageAccountName
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__blobServiceUri: 'https://${storageAccountName}.blob.${suffix}'
  AzureWebJobsStorage__queueServiceUri: 'https://${storageAccountName}.queue.${suffix}'
  AzureWebJobsStorage__tableServiceUri: 'https://${storageAccountName}.table.${suffix}'
  APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  // DefaultAzureCredential finds the user-assigned identity by this.
  AZURE_CLIENT_ID: identityClientId
}
var stateSettings = sharesState ? {
  NVAHA_STORAGE: 'NVAHASTATE'
  NVAHASTATE__accountName: stateStorageAccountName
  NVAHASTATE__credential: 'managedidentity'
  NVAHASTATE__clientId: identityClientId
  NVAHASTATE__blobServiceUri: 'https://${stateStorageAccountName}.blob.${suffix}'
  NVAHASTATE__queueServiceUri: 'https://${stateStorageAccountName}.queue.${suffix}'
  NVAHASTATE__tableServiceUri: 'https://${stateStorageAccountName}.table.${suffix}'
} : {
  NVAHA_STORAGE: 'AzureWebJobsStorage'
}
var nvahaSettings = {
  NVAHA_CONFIG: config
  NVAHA_SCHEDULE: schedule
  NVAHA_CLOUD: cloud
  NVAHA_PING_URL: pingUrl
}
// Each signal has one sender, so nothing is sent twice: logs the host, as ever; traces and metrics the worker's SDK. Libraries
// that the SDK would trace by itself are left out: they tell of each request to storage, each second.
var telemetrySettings = openTelemetry ? {
  PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY: 'true'
  OTEL_LOGS_EXPORTER: 'none'
  OTEL_TRACES_SAMPLER: 'always_on'
  OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: 'azure_sdk,django,fastapi,flask,httpx,httpx2,psycopg2,requests,urllib,urllib3'
} : {}
var optionalSettings = union(empty(instanceName) ? {} : {
  NVAHA_INSTANCE: instanceName
}, empty(armApiVersion) ? {} : {
  NVAHA_ARM_API_VERSION: armApiVersion
}, empty(armEndpoint) ? {} : {
  NVAHA_ARM_ENDPOINT: armEndpoint
}, empty(armCa) ? {} : {
  NVAHA_ARM_CA: armCa
})
// Flex Consumption takes runtime and build from functionAppConfig and refuses these. The last four are what Core Tools
// set when they publish, to the letter: neither undoes the other.
var dedicatedSettings = flex ? {} : {
  FUNCTIONS_EXTENSION_VERSION: '~4'
  FUNCTIONS_WORKER_RUNTIME: 'python'
  ENABLE_ORYX_BUILD: 'true'
  SCM_DO_BUILD_DURING_DEPLOYMENT: '1'
  BUILD_FLAGS: 'UseExpressBuild'
  XDG_CACHE_HOME: '/tmp/.cache'
}

var callers = [for (prefix, i) in allowedIpRanges: {
  name: 'allowed-${i}'
  action: 'Allow'
  ipAddress: prefix
  priority: 100 + i
}]
// Anybody's test, not only this one: it has no key, and so sees /api/health and nothing else.
var testers = empty(allowedIpRanges) || !allowAvailabilityTests ? [] : [
  {
    name: 'availability-tests'
    action: 'Allow'
    tag: 'ServiceTag'
    ipAddress: 'ApplicationInsightsAvailability'
    priority: 99
  }
]
var siteConfig = {
  http20Enabled: true
  minTlsVersion: '1.2'
  scmMinTlsVersion: '1.2'
  remoteDebuggingEnabled: false
  ipSecurityRestrictionsDefaultAction: empty(allowedIpRanges) ? 'Allow' : 'Deny'
  ipSecurityRestrictions: union(testers, callers)
}
// Flex Consumption refuses to be told of these (error 51021, region by region), of null as well.
var dedicatedSiteConfig = flex ? {} : {
  alwaysOn: true
  linuxFxVersion: 'PYTHON|${pythonVersion}'
  ftpsState: 'Disabled'
}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  // checkov:skip=CKV_AZURE_225: zone redundancy is a parameter; it doubles the always-ready instances, and B1 has none
  name: planName
  location: location
  tags: tags
  kind: flex ? 'functionapp' : 'linux'
  sku: {
    name: flex ? 'FC1' : 'B1'
    tier: flex ? 'FlexConsumption' : 'Basic'
  }
  properties: {
    reserved: true
    zoneRedundant: flex ? zoneRedundant : false
  }
}

// Documented, and in no published type yet; left out unless asked for, as nothing here needs it.
var siteUpdate = empty(updateStrategy) ? {} : {
  siteUpdateStrategy: {
    type: updateStrategy
  }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  // checkov:skip=CKV_AZURE_222: the platform's own deployment and the operators' CLI need the endpoint; allowedIpRanges narrows it
  // checkov:skip=CKV_AZURE_17: callers are told apart by function keys; a client certificate would shut out health checks
  // checkov:skip=CKV_AZURE_212: monitors are made redundant by deploying a second one, not by more instances of one
  // checkov:skip=CKV_AZURE_15: it is in siteConfig, which is merged for each plan; tests/infra looks at the result
  // checkov:skip=CKV_AZURE_18: it is in siteConfig, which is merged for each plan; tests/infra looks at the result
  // checkov:skip=CKV_AZURE_67: it is in siteConfig, which is merged for each plan; tests/infra looks at the result
  // checkov:skip=CKV_AZURE_78: it is in siteConfig, for the plan that has FTP; tests/infra looks at the result
  // checkov:skip=CKV_AZURE_213: a restart cures none of what makes /api/health unhealthy (no leader, no storage)
  name: name
  location: location
  tags: union(tags, {
    'azd-service-name': 'monitor'
  })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    keyVaultReferenceIdentity: identityId
    publicNetworkAccess: 'Enabled'
    virtualNetworkSubnetId: subnetId
    // Dedicated: private addresses go through the subnet, the way to Azure Resource Manager does not,
    // so that a default route to a dead NVA cannot cut the monitor off. Flex sends everything through it.
    outboundVnetRouting: flex ? null : {
      allTraffic: false
      applicationTraffic: false
    }
    functionAppConfig: flex ? union(siteUpdate, {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: deploymentContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        // Timer and queue functions scale alone, each in its own instances.
        alwaysReady: [
          {
            name: 'function:probe'
            instanceCount: alwaysReadyInstances
          }
          {
            name: 'function:switch'
            instanceCount: alwaysReadyInstances
          }
        ]
      }
      runtime: {
        name: 'python'
        version: pythonVersion
      }
    }) : null
    siteConfig: union(siteConfig, dedicatedSiteConfig)
  }
}

resource settings 'Microsoft.Web/sites/config@2024-11-01' = {
  // This resource holds application settings only; the checks below look for site settings in it.
  // checkov:skip=CKV_AZURE_66: not a site setting of this resource; requests are in Application Insights
  // checkov:skip=CKV_AZURE_63: not a site setting of this resource; requests are in Application Insights
  // checkov:skip=CKV_AZURE_65: not a site setting of this resource; failures are in Application Insights
  // checkov:skip=CKV_AZURE_222: not a site setting of this resource; see the app above
  // checkov:skip=CKV_AZURE_80: no .NET Framework here, the app is Python
  // checkov:skip=CKV_AZURE_13: callers are authenticated by function keys
  // checkov:skip=CKV_AZURE_88: nothing is kept in files
  parent: app
  name: 'appsettings'
  properties: union(hostSettings, stateSettings, nvahaSettings, telemetrySettings, optionalSettings, dedicatedSettings, extraAppSettings)
}

// Flex Consumption has no FTP.
resource noFtp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = if (!flex) {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noScm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

@description('Name of the function app.')
output name string = app.name

@description('Address of the function app.')
output url string = 'https://${app.properties.defaultHostName}'
