@description('Existing virtual network.')
param virtualNetworkName string

@description('Start of the new subnets\' names; Flex Consumption accepts no underscore in it.')
param namePrefix string

@description('Address range of the function app\'s subnet.')
param functionSubnetPrefix string

@description('Address range of the private endpoints\' subnet; empty for none.')
param privateEndpointSubnetPrefix string

@description('Service that the function app\'s subnet is delegated to.')
param delegation string

@description('Service endpoints of the function app\'s subnet.')
param serviceEndpoints array

resource virtualNetwork 'Microsoft.Network/virtualNetworks@2025-01-01' existing = {
  name: virtualNetworkName
}

// No route table: the monitor's way to Azure Resource Manager must not lead through the NVA it replaces.
resource functionSubnet 'Microsoft.Network/virtualNetworks/subnets@2025-01-01' = {
  parent: virtualNetwork
  name: '${namePrefix}-functions'
  properties: {
    addressPrefix: functionSubnetPrefix
    serviceEndpoints: serviceEndpoints
    delegations: [
      {
        name: 'functions'
        properties: {
          serviceName: delegation
        }
      }
    ]
  }
}

// A virtual network takes one change at a time, hence after the other.
resource privateEndpointSubnet 'Microsoft.Network/virtualNetworks/subnets@2025-01-01' = if (!empty(privateEndpointSubnetPrefix)) {
  parent: virtualNetwork
  name: '${namePrefix}-private-endpoints'
  properties: {
    addressPrefix: privateEndpointSubnetPrefix
    privateEndpointNetworkPolicies: 'Enabled'
  }
  dependsOn: [
    functionSubnet
  ]
}

@description('Subnet for VNet integration.')
output functionSubnetId string = functionSubnet.id

@description('Subnet for private endpoints, if there is one.')
output privateEndpointSubnetId string = empty(privateEndpointSubnetPrefix) ? '' : privateEndpointSubnet.id
