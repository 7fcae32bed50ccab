// One monitor: a function app with its identity, network, storage, telemetry, roles and alerts.
// Deployed once for one monitor; again, with existingStateStorageId, for each further one.
targetScope = 'subscription'

@minLength(1)
@maxLength(32)
@description('Name of this monitor. The names of its resources are derived from it, and it is the tag that azd looks for.')
param environmentName string

@minLength(1)
@metadata({
  azd: {
    type: 'location'
  }
})
@description('Region of the function app and of everything deployed with it. VNet integration needs the region of the virtual network.')
param location string

@description('Resource group to create or use; empty derives the name from environmentName.')
param resourceGroupName string = ''

@allowed([
  'flex'
  'dedicated'
])
@description('flex: Flex Consumption with always-ready instances. dedicated: one Linux B1 instance with Always On. docs/deploy.md says what each costs and when to choose it.')
param hosting string = 'flex'

@allowed([
  '3.11'
  '3.12'
  '3.13'
])
@description('Python version of the function app.')
param pythonVersion string = '3.13'

@allowed([
  512
  2048
  4096
])
@description('Flex only: memory of one instance in MB.')
param instanceMemoryMB int = 512

@minValue(40)
@maxValue(1000)
@description('Flex only: the most instances the app may scale to; the platform accepts nothing below 40.')
param maximumInstanceCount int = 40

@minValue(1)
@maxValue(10)
@description('Flex only: instances kept ready for each of the functions probe and switch. Zone redundancy needs 2.')
param alwaysReadyInstances int = 1

@description('Flex only: spread the instances over availability zones; set alwaysReadyInstances to 2 with it.')
param zoneRedundant bool = false

@allowed([
  ''
  'Recreate'
  'RollingUpdate'
])
@description('Flex only: end all instances at once when the app is updated, or drain them while new ones start (in preview); empty leaves what is set, which is Recreate at first.')
param updateStrategy string = ''

@description('The groups: the name of a file beside host.json, the configuration itself as JSON, or the URL of a blob (setting NVAHA_CONFIG).')
param config string = 'nvaha.yaml'

@description('NCRONTAB with seconds of the tick (setting NVAHA_SCHEDULE).')
param schedule string = '*/10 * * * * *'

@description('This monitor\'s name in status and history (setting NVAHA_INSTANCE); empty lets the platform\'s instance id stand.')
param instanceName string = ''

@description('The version of Azure Resource Manager\'s network API (setting NVAHA_ARM_API_VERSION), where the default is not served; empty for the default.')
param armApiVersion string = ''

@description('Another Azure Resource Manager endpoint (setting NVAHA_ARM_ENDPOINT), for a proxy; empty in the public and sovereign clouds.')
param armEndpoint string = ''

@description('File with the CA to trust for armEndpoint (setting NVAHA_ARM_CA).')
param armCa string = ''

@description('Deploy a route table that nothing uses, and the role on it, for the canary that switches it once a day to see that switching works. The configuration names it: output NVAHA_CANARY_ROUTE_TABLE_ID.')
param canary bool = false

@secure()
@description('URL outside Azure that the leader asks once a minute while it watches everything (setting NVAHA_PING_URL), or a Key Vault reference to it.')
param pingUrl string = ''

@secure()
@description('Further application settings by name, such as AZURE_TENANT_ID and a Key Vault reference in AZURE_CLIENT_SECRET for a service principal. They win over the ones set here.')
param extraAppSettings object = {}

@description('Send traces and metrics to Application Insights as well, by OpenTelemetry. The package needs requirements/telemetry.txt in the place of requirements.txt; logs go on as they do.')
param openTelemetry bool = false

@description('Comma-separated resource ids that the monitor may work on: resource groups, or single route tables, network interfaces, public IPs, virtual networks, network security groups, load balancers, application gateways and application security groups.')
param networkScopes string = ''

@description('Comma-separated names from roles/nic-references.json: what the NVAs\' network interfaces refer to besides subnet, public IP and network security group.')
param nicReferences string = ''

@description('Id of an existing role definition to assign instead of creating one, such as the output NVAHA_OPERATOR_ROLE_ID of the first monitor.')
param operatorRoleId string = ''

@description('Existing subnet for VNet integration, delegated to Microsoft.App/environments (flex) or Microsoft.Web/serverFarms (dedicated).')
param existingFunctionSubnetId string = ''

@description('Existing virtual network in which a delegated subnet is created; ignored with existingFunctionSubnetId. Both empty: a new virtual network, to be peered with the one of the NVAs.')
param existingVirtualNetworkId string = ''

@description('Address range of a new virtual network.')
param virtualNetworkPrefix string = '10.90.0.0/24'

@description('Address range of a new delegated subnet; /26 or larger.')
param functionSubnetPrefix string = '10.90.0.0/26'

@description('Address range of a new subnet for the private endpoints; /28 or larger.')
param privateEndpointSubnetPrefix string = '10.90.0.64/27'

@description('A NAT gateway on the subnet of a new virtual network, for a fixed outbound address.')
param natGateway bool = false

@description('Network security group of a new delegated subnet. Azure writes a subnet whole: what others attach to it and is not given here is taken off at the next deployment. A subnet given by its id is left alone.')
param functionSubnetNetworkSecurityGroupId string = ''

@description('Route table of a new delegated subnet; see functionSubnetNetworkSecurityGroupId. No route of it may lead through the NVAs.')
param functionSubnetRouteTableId string = ''

@description('NAT gateway of a new delegated subnet, instead of natGateway; see functionSubnetNetworkSecurityGroupId.')
param functionSubnetNatGatewayId string = ''

@description('Reach the storage account through private endpoints only. Without them its public endpoint answers the function app\'s subnet (dedicated), or every network (flex, whose subnets take no service endpoint); always to Entra identities only.')
param privateEndpoints bool = true

@description('Existing subnet for the private endpoints; needed with existingFunctionSubnetId while privateEndpoints is on.')
param existingPrivateEndpointSubnetId string = ''

@description('Network security group of a new subnet for the private endpoints; see functionSubnetNetworkSecurityGroupId.')
param privateEndpointSubnetNetworkSecurityGroupId string = ''

@description('Route table of a new subnet for the private endpoints; see functionSubnetNetworkSecurityGroupId.')
param privateEndpointSubnetRouteTableId string = ''

@description('Create and link the private DNS zones of the storage endpoints. Switch off where a policy makes the records.')
param createPrivateDnsZones bool = true

@description('Resource group that has the private DNS zones of the storage endpoints, linked to the virtual network, already: a central one, or that of another monitor in the same virtual network.')
param existingDnsZonesGroupId string = ''

@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GZRS'
])
@description('Redundancy of the storage account; it holds the lease, so Standard_ZRS lets the monitor outlive a zone. A region without availability zones has Standard_LRS only. It cannot be changed by deploying again.')
param storageSku string = 'Standard_LRS'

@description('Lock the storage account against being deleted, with everything around it; whoever deploys needs the right to write locks, as Owner and User Access Administrator have it.')
param storageDeleteLock bool = false

@description('Dedicated without private endpoints only: comma-separated ids of further subnets that the storage account answers, those of other monitors that share this one\'s state.')
param storageSubnetIds string = ''

@description('Storage account of the first monitor, whose state, lease and queue this one shares; empty makes this the first.')
param existingStateStorageId string = ''

@description('Log Analytics workspace to use instead of a new one in this region, for example one for all monitors: then it is lost, with the alert rules on it, when its region is.')
param existingWorkspaceId string = ''

@minValue(30)
@maxValue(730)
@description('Days that a new workspace keeps logs.')
param logRetentionDays int = 30

@allowed([
  'off'
  'changes'
  'all'
])
@description('Log the requests to this monitor\'s storage account in the workspace: those that change something, or all, which are many. docs/cost.md says what that costs.')
param storageLogs string = 'off'

@description('Storage account, in the region of this monitor, that gets a copy of every event that nvaha logs; best one that only auditors may write, with an immutability policy. Empty for none.')
param eventArchiveStorageId string = ''

@description('Existing Event Grid topic, made for CloudEvents, that a receiver of type event_grid names: the monitor\'s identity gets the role to send to it. Empty for none.')
param eventGridTopicId string = ''

@description('Deploy the alert rules on the workspace. Once for each workspace: monitors that share one have them once.')
param alerts bool = true

@description('Deploy a workbook, a dashboard and saved queries for the workspace. They cost nothing. Once for each workspace, like the alert rules.')
param portal bool = true

@description('Let Azure Monitor ask /api/health from outside, and alert on what it hears, apart from everything that the app logs. docs/cost.md says what that costs.')
param availabilityTest bool = true

@description('Comma-separated population names of the places that ask, five or more; empty takes five of this cloud. https://learn.microsoft.com/azure/azure-monitor/app/availability lists them.')
param availabilityPlaces string = ''

@description('Comma-separated e-mail addresses that the alerts go to. Empty, and no alertActionGroupId: nobody is told, so neither rules nor the test from outside are deployed; the output NVAHA_ALERTING says so.')
param alertEmails string = ''

@description('Existing action group that the alerts go to, besides or instead of alertEmails.')
param alertActionGroupId string = ''

@description('Comma-separated address ranges that may call the function app; empty lets every address try a function key. With availabilityTest the places that ask are let in besides.')
param allowedIpRanges string = ''

var abbreviations = loadJsonContent('./abbreviations.json')
var role = loadJsonContent('./roles/nva-operator.json')
var nicReferenceActions = loadJsonContent('./roles/nic-references.json')
var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = {
  'azd-env-name': environmentName
}
var flex = hosting == 'flex'
var delegation = flex ? 'Microsoft.App/environments' : 'Microsoft.Web/serverFarms'
// Global: the account of another region's monitor answers the subnet, too.
var serviceEndpoints = flex || privateEndpoints ? [] : [
  {
    service: 'Microsoft.Storage.Global'
  }
]
var clouds = {
  AzureCloud: 'AzurePublic'
  AzureUSGovernment: 'AzureUSGovernment'
  AzureChinaCloud: 'AzureChina'
}
// Far apart, so that the fault of one network is not taken for the app's.
var availabilityPlacesOf = {
  AzureCloud: [
    {
      Id: 'emea-nl-ams-azr'
    }
    {
      Id: 'emea-gb-db3-azr'
    }
    {
      Id: 'us-va-ash-azr'
    }
    {
      Id: 'us-ca-sjc-azr'
    }
    {
      Id: 'apac-sg-sin-azr'
    }
  ]
  AzureUSGovernment: [
    {
      Id: 'usgov-va-azr'
    }
    {
      Id: 'usgov-phx-azr'
    }
    {
      Id: 'usgov-tx-azr'
    }
    {
      Id: 'usgov-ddeast-azr'
    }
    {
      Id: 'usgov-ddcentral-azr'
    }
  ]
  AzureChinaCloud: [
    {
      Id: 'mc-cne-azr'
    }
    {
      Id: 'mc-cne2-azr'
    }
    {
      Id: 'mc-cnn-azr'
    }
    {
      Id: 'mc-cnn2-azr'
    }
  ]
}
var givenPlaces = [for place in (empty(availabilityPlaces) ? [] : split(replace(availabilityPlaces, ' ', ''), ',')): {
  Id: place
}]
var storageLogCategories = loadJsonContent('./storage-log-categories.json')

var newNetwork = empty(existingFunctionSubnetId) && empty(existingVirtualNetworkId)
var newSubnet = empty(existingFunctionSubnetId) && !empty(existingVirtualNetworkId)
var groupName = !empty(resourceGroupName) ? resourceGroupName : '${abbreviations.resourceGroup}${environmentName}'
// Placeholders keep the scopes of modules that are not deployed well-formed.
var ownGroupId = '/subscriptions/${subscription().subscriptionId}/resourceGroups/${groupName}'
var vnetParts = split(newSubnet ? existingVirtualNetworkId : '${ownGroupId}/providers/Microsoft.Network/virtualNetworks/unused', '/')

var sharesState = !empty(existingStateStorageId)
var stateParts = split(sharesState ? existingStateStorageId : '${ownGroupId}/providers/Microsoft.Storage/storageAccounts/unused', '/')

var topicIsNone = !empty(eventGridTopicId) && !contains(toLower(eventGridTopicId), '/providers/microsoft.eventgrid/topics/')
var topicId = topicIsNone ? fail('eventGridTopicId: ${eventGridTopicId} is not the id of an Event Grid topic.') : !empty(eventGridTopicId) ? eventGridTopicId : '${ownGroupId}/providers/Microsoft.EventGrid/topics/unused'
var topicParts = split(topicId, '/')

var scopeList = empty(networkScopes) ? [] : split(replace(networkScopes, ' ', ''), ',')
var scopeSubscriptions = [for id in scopeList: '/subscriptions/${split(id, '/')[2]}']
var referenceNames = empty(nicReferences) ? [] : split(replace(nicReferences, ' ', ''), ',')
var referenceActions = [for name in referenceNames: nicReferenceActions[name]]
var roleActions = union(role.Actions, referenceActions)
var emailList = empty(alertEmails) ? [] : split(replace(alertEmails, ' ', ''), ',')
var receivers = union(emailList, empty(alertActionGroupId) ? [] : [
  'the action group ${alertActionGroupId}'
])
// A rule without a receiver costs the same and wakes nobody.
var rulesTell = alerts && !empty(receivers)
var outsideTells = availabilityTest && !empty(receivers)
var sharingSubnetIds = empty(storageSubnetIds) ? [] : split(replace(storageSubnetIds, ' ', ''), ',')

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: groupName
  location: location
  tags: tags
}

module identity './app/identity.bicep' = {
  name: 'nvaha-identity'
  scope: group
  params: {
    name: '${abbreviations.managedIdentity}${token}'
    location: location
    tags: tags
  }
}

module network './app/network.bicep' = if (newNetwork) {
  name: 'nvaha-network'
  scope: group
  params: {
    name: '${abbreviations.virtualNetwork}${token}'
    location: location
    tags: tags
    addressPrefix: virtualNetworkPrefix
    functionSubnetPrefix: functionSubnetPrefix
    privateEndpointSubnetPrefix: privateEndpointSubnetPrefix
    delegation: delegation
    serviceEndpoints: serviceEndpoints
    natGatewayName: natGateway && empty(functionSubnetNatGatewayId) ? '${abbreviations.natGateway}${token}' : ''
    publicIpName: '${abbreviations.publicIp}${token}'
    networkSecurityGroupName: '${abbreviations.networkSecurityGroup}${token}'
    functionSubnetNetworkSecurityGroupId: functionSubnetNetworkSecurityGroupId
    functionSubnetRouteTableId: functionSubnetRouteTableId
    functionSubnetNatGatewayId: functionSubnetNatGatewayId
    privateEndpointSubnetNetworkSecurityGroupId: privateEndpointSubnetNetworkSecurityGroupId
    privateEndpointSubnetRouteTableId: privateEndpointSubnetRouteTableId
  }
}

module subnet './app/subnet.bicep' = if (newSubnet) {
  name: 'nvaha-subnet-${token}'
  scope: resourceGroup(vnetParts[2], vnetParts[4])
  params: {
    virtualNetworkName: vnetParts[8]
    namePrefix: 'nvaha-${environmentName}'
    functionSubnetPrefix: functionSubnetPrefix
    privateEndpointSubnetPrefix: privateEndpoints ? privateEndpointSubnetPrefix : ''
    delegation: delegation
    serviceEndpoints: serviceEndpoints
    functionSubnetNetworkSecurityGroupId: functionSubnetNetworkSecurityGroupId
    functionSubnetRouteTableId: functionSubnetRouteTableId
    functionSubnetNatGatewayId: functionSubnetNatGatewayId
    privateEndpointSubnetNetworkSecurityGroupId: privateEndpointSubnetNetworkSecurityGroupId
    privateEndpointSubnetRouteTableId: privateEndpointSubnetRouteTableId
  }
}

var endpointSubnetIsMissing = !empty(existingFunctionSubnetId) && privateEndpoints && empty(existingPrivateEndpointSubnetId)
var givenEndpointSubnetId = endpointSubnetIsMissing ? fail('existingFunctionSubnetId needs existingPrivateEndpointSubnetId beside it, or privateEndpoints=false.') : existingPrivateEndpointSubnetId

// Each is one of three, by which parameters are given.
var functionSubnetId = newNetwork ? network!.outputs.functionSubnetId : newSubnet ? subnet!.outputs.functionSubnetId : existingFunctionSubnetId
var privateEndpointSubnetId = newNetwork ? network!.outputs.privateEndpointSubnetId : newSubnet ? subnet!.outputs.privateEndpointSubnetId : givenEndpointSubnetId

module storage './app/storage.bicep' = {
  name: 'nvaha-storage'
  scope: group
  params: {
    name: '${abbreviations.storageAccount}${token}'
    location: location
    tags: tags
    skuName: storageSku
    publicNetworkAccess: privateEndpoints ? 'Disabled' : 'Enabled'
    defaultAction: flex && !privateEndpoints ? 'Allow' : 'Deny'
    subnetIds: flex || privateEndpoints ? [] : union([
      functionSubnetId
    ], sharingSubnetIds)
    deleteLock: storageDeleteLock
  }
}

module storageEndpoints './app/private-endpoints.bicep' = if (privateEndpoints) {
  name: 'nvaha-private-endpoints'
  scope: group
  params: {
    namePrefix: '${abbreviations.privateEndpoint}${token}'
    location: location
    tags: tags
    storageAccountId: storage.outputs.id
    subnetId: privateEndpointSubnetId
    createDnsZones: createPrivateDnsZones
    existingDnsZonesGroupId: existingDnsZonesGroupId
  }
}

// The same zones serve both accounts, hence one after the other.
module stateEndpoints './app/private-endpoints.bicep' = if (privateEndpoints && sharesState) {
  name: 'nvaha-state-endpoints'
  scope: group
  params: {
    namePrefix: '${abbreviations.privateEndpoint}${token}-state'
    location: location
    tags: tags
    storageAccountId: existingStateStorageId
    subnetId: privateEndpointSubnetId
    createDnsZones: createPrivateDnsZones
    existingDnsZonesGroupId: existingDnsZonesGroupId
  }
  dependsOn: [
    storageEndpoints
  ]
}

module storageRoles './app/storage-roles.bicep' = {
  name: 'nvaha-storage-roles'
  scope: group
  params: {
    storageAccountName: storage.outputs.name
    principalId: identity.outputs.principalId
    host: true
  }
}

module stateRoles './app/storage-roles.bicep' = if (sharesState) {
  name: 'nvaha-state-roles-${token}'
  scope: resourceGroup(stateParts[2], stateParts[4])
  params: {
    storageAccountName: stateParts[8]
    principalId: identity.outputs.principalId
    host: false
  }
}

module observability './app/observability.bicep' = {
  name: 'nvaha-observability'
  scope: group
  params: {
    workspaceName: '${abbreviations.logAnalyticsWorkspace}${token}'
    applicationInsightsName: '${abbreviations.applicationInsights}${token}'
    location: location
    tags: tags
    existingWorkspaceId: existingWorkspaceId
    retentionDays: logRetentionDays
    eventArchiveStorageId: eventArchiveStorageId
    principalId: identity.outputs.principalId
  }
}

module eventGridRole './app/event-grid-role.bicep' = if (!empty(eventGridTopicId)) {
  name: 'nvaha-event-grid-role-${token}'
  scope: resourceGroup(topicParts[2], topicParts[4])
  params: {
    topicName: topicParts[8]
    principalId: identity.outputs.principalId
  }
}

module storageLogging './app/storage-logs.bicep' = if (storageLogs != 'off') {
  name: 'nvaha-storage-logs'
  scope: group
  params: {
    storageAccountName: storage.outputs.name
    workspaceId: observability.outputs.workspaceId
    categories: storageLogCategories[storageLogs]
  }
}

module operatorRole './app/operator-role.bicep' = if (empty(operatorRoleId)) {
  name: 'nvaha-operator-role-${token}'
  params: {
    roleName: '${role.Name} (${environmentName} ${token})'
    roleDescription: role.Description
    actions: roleActions
    assignableScopes: union([
      subscription().id
    ], scopeSubscriptions)
  }
}

var assignedRoleId = empty(operatorRoleId) ? operatorRole!.outputs.id : operatorRoleId

module operatorAssignments './app/operator-assignment.bicep' = [for id in scopeList: {
  name: 'nvaha-operator-${uniqueString(id, token)}'
  scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
  params: {
    targetId: id
    roleDefinitionId: assignedRoleId
    principalId: identity.outputs.principalId
  }
}]

module canaryTable './app/canary.bicep' = if (canary) {
  name: 'nvaha-canary'
  scope: group
  params: {
    name: '${abbreviations.routeTable}nvaha-canary-${token}'
    location: location
    tags: tags
  }
}

module canaryAssignment './app/operator-assignment.bicep' = if (canary) {
  name: 'nvaha-operator-canary'
  scope: group
  params: {
    targetId: canaryTable!.outputs.id
    roleDefinitionId: assignedRoleId
    principalId: identity.outputs.principalId
  }
}

module functionApp './app/function-app.bicep' = {
  name: 'nvaha-function-app'
  scope: group
  params: {
    name: '${abbreviations.functionApp}${token}'
    planName: '${abbreviations.appServicePlan}${token}'
    location: location
    tags: tags
    flex: flex
    pythonVersion: pythonVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyInstances: flex && zoneRedundant && alwaysReadyInstances < 2 ? fail('zoneRedundant=true needs alwaysReadyInstances=2 or more.') : alwaysReadyInstances
    zoneRedundant: zoneRedundant
    updateStrategy: updateStrategy
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageAccountName: storage.outputs.name
    deploymentContainerUrl: storage.outputs.deploymentContainerUrl
    stateStorageAccountName: sharesState ? stateParts[8] : ''
    subnetId: functionSubnetId
    applicationInsightsConnectionString: observability.outputs.connectionString
    hostId: 'nvaha-${token}'
    config: config
    schedule: schedule
    cloud: clouds[environment().name]
    instanceName: instanceName
    armApiVersion: armApiVersion
    armEndpoint: armEndpoint
    armCa: armCa
    pingUrl: pingUrl
    openTelemetry: openTelemetry
    extraAppSettings: extraAppSettings
    allowAvailabilityTests: outsideTells
    allowedIpRanges: empty(allowedIpRanges) ? [] : split(replace(allowedIpRanges, ' ', ''), ',')
  }
  dependsOn: [
    storageRoles
    stateRoles
    storageEndpoints
    stateEndpoints
  ]
}

module actionGroup './app/action-group.bicep' = if (rulesTell || outsideTells) {
  name: 'nvaha-action-group'
  scope: group
  params: {
    name: '${abbreviations.actionGroup}${token}'
    tags: tags
    emails: emailList
    existingActionGroupId: alertActionGroupId
  }
}

module alertRules './app/alerts.bicep' = if (rulesTell) {
  name: 'nvaha-alerts'
  scope: group
  params: {
    namePrefix: '${abbreviations.scheduledQueryRule}${token}'
    location: location
    tags: tags
    workspaceId: observability.outputs.workspaceId
    actionGroupIds: actionGroup!.outputs.ids
  }
}

module portalViews './app/portal.bicep' = if (portal) {
  name: 'nvaha-portal'
  scope: group
  params: {
    dashboardName: '${abbreviations.dashboard}${token}'
    queryPackName: '${abbreviations.queryPack}${token}'
    environmentName: environmentName
    location: location
    tags: tags
    workspaceId: observability.outputs.workspaceId
  }
}

module availability './app/availability.bicep' = if (outsideTells) {
  name: 'nvaha-availability'
  scope: group
  params: {
    testName: '${abbreviations.webTest}${token}'
    alertName: '${abbreviations.metricAlert}${token}-unhealthy'
    location: location
    tags: tags
    componentId: observability.outputs.componentId
    url: functionApp.outputs.url
    places: empty(availabilityPlaces) ? availabilityPlacesOf[environment().name] : givenPlaces
    actions: actionGroup!.outputs.actions
  }
}

@description('Region of the deployment.')
output AZURE_LOCATION string = location

@description('Resource group of the function app.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app, for func azure functionapp publish.')
output AZURE_FUNCTION_APP_NAME string = functionApp.outputs.name

@description('Address of the function app, for nvaha --url.')
output NVAHA_URL string = functionApp.outputs.url

@description('Client id of the monitor\'s identity.')
output NVAHA_IDENTITY_CLIENT_ID string = identity.outputs.clientId

@description('Object id of the monitor\'s identity, for role assignments made elsewhere.')
output NVAHA_IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId

@description('Storage account with the state; existingStateStorageId of further monitors.')
output NVAHA_STATE_STORAGE_ID string = sharesState ? existingStateStorageId : storage.outputs.id

@description('Role definition that was assigned; operatorRoleId of further monitors.')
output NVAHA_OPERATOR_ROLE_ID string = assignedRoleId

@description('Workspace with the logs; existingWorkspaceId of further monitors.')
output NVAHA_WORKSPACE_ID string = observability.outputs.workspaceId

@description('Subnet of the function app, to be let in where the NVAs are guarded by network security groups.')
output NVAHA_SUBNET_ID string = functionSubnetId

@description('Subnet of the private endpoints, if there are any. With NVAHA_SUBNET_ID it is what further deployments are given to leave both subnets alone.')
output NVAHA_ENDPOINT_SUBNET_ID string = privateEndpoints ? privateEndpointSubnetId : ''

var told = 'Alerts go to ${join(receivers, ', ')}'
var ofRules = rulesTell ? '' : ', on what is seen from outside only: alerts=false, so no rules were deployed here'
var ofOutside = outsideTells ? '; /api/health is asked from outside, too' : '; nothing is asked from outside: availabilityTest=false'

@description('Who is told when something is wrong, and of what, in words.')
output NVAHA_ALERTING string = empty(receivers) ? 'NOBODY IS TOLD of anything: alertEmails and alertActionGroupId are empty, so neither alert rules nor the test from outside were deployed.' : rulesTell || outsideTells ? '${told}${ofRules}${ofOutside}.' : 'alerts=false and availabilityTest=false: this deployment tells nobody of anything.'

@description('Route table of the canary, for canary.route_table in the configuration; empty without one.')
output NVAHA_CANARY_ROUTE_TABLE_ID string = canary ? canaryTable!.outputs.id : ''
