// Assigns the role on one resource group, or on one resource in it.
@description('Id of the resource group or resource.')
param targetId string

@description('Id of the role definition.')
param roleDefinitionId string

@description('Object id of the monitor\'s identity.')
param principalId string

var kinds = [
  'resourcegroup'
  'routetables'
  'networkinterfaces'
  'publicipaddresses'
  'virtualnetworks'
  'networksecuritygroups'
  'loadbalancers'
  'applicationgateways'
  'applicationsecuritygroups'
]
var parts = split(targetId, '/')
var found = length(parts) == 9 ? toLower(parts[7]) : length(parts) == 5 ? 'resourcegroup' : 'none'
// Without this a scope of another kind would be assigned nothing, and a subnet's the whole virtual network.
var kind = contains(kinds, found) ? found : fail('networkScopes: ${targetId} is neither a resource group nor a resource of a kind that the operator role is for.')
var name = length(parts) == 9 ? parts[8] : 'unused'
var assignmentName = guid(toLower(targetId), principalId, roleDefinitionId)
var assignment = {
  principalId: principalId
  principalType: 'ServicePrincipal'
  roleDefinitionId: roleDefinitionId
}

resource onGroup 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'resourcegroup') {
  name: assignmentName
  properties: assignment
}

resource routeTable 'Microsoft.Network/routeTables@2025-01-01' existing = {
  name: name
}

resource onRouteTable 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'routetables') {
  name: assignmentName
  scope: routeTable
  properties: assignment
}

resource networkInterface 'Microsoft.Network/networkInterfaces@2025-01-01' existing = {
  name: name
}

resource onNetworkInterface 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'networkinterfaces') {
  name: assignmentName
  scope: networkInterface
  properties: assignment
}

resource publicIp 'Microsoft.Network/publicIPAddresses@2025-01-01' existing = {
  name: name
}

resource onPublicIp 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'publicipaddresses') {
  name: assignmentName
  scope: publicIp
  properties: assignment
}

resource virtualNetwork 'Microsoft.Network/virtualNetworks@2025-01-01' existing = {
  name: name
}

resource onVirtualNetwork 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'virtualnetworks') {
  name: assignmentName
  scope: virtualNetwork
  properties: assignment
}

resource networkSecurityGroup 'Microsoft.Network/networkSecurityGroups@2025-01-01' existing = {
  name: name
}

resource onNetworkSecurityGroup 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'networksecuritygroups') {
  name: assignmentName
  scope: networkSecurityGroup
  properties: assignment
}

resource loadBalancer 'Microsoft.Network/loadBalancers@2025-01-01' existing = {
  name: name
}

resource onLoadBalancer 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'loadbalancers') {
  name: assignmentName
  scope: loadBalancer
  properties: assignment
}

resource applicationGateway 'Microsoft.Network/applicationGateways@2025-01-01' existing = {
  name: name
}

resource onApplicationGateway 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'applicationgateways') {
  name: assignmentName
  scope: applicationGateway
  properties: assignment
}

resource applicationSecurityGroup 'Microsoft.Network/applicationSecurityGroups@2025-01-01' existing = {
  name: name
}

resource onApplicationSecurityGroup 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (kind == 'applicationsecuritygroups') {
  name: assignmentName
  scope: applicationSecurityGroup
  properties: assignment
}
