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

@description('Network security group of the function app\'s subnet; empty for none.')
param functionSubnetNetworkSecurityGroupId string

@description('Route table of the function app\'s subnet; empty for none.')
param functionSubnetRouteTableId string

@description('NAT gateway of the function app\'s subnet; empty for none.')
param functionSubnetNatGatewayId string

@description('Network security group of the private endpoints\' subnet; empty for none.')
param privateEndpointSubnetNetworkSecurityGroupId string

@description('Route table of the private endpoints\' subnet; empty for none.')
param privateEndpointSubnetRouteTableId string

resource virtualNetwork 'Microsoft.Network/virtualNetworks@2025-01-01' existing = {
  name: virtualNetworkName
}

// Azure writes a subnet whole: what is not named here is taken off it at every deployment. A route table only where one
// is given: the monitor's way to Azure Resource Manager must not lead through the NVA it replaces.
resource functionSubnet 'Microsoft.Network/virtualNetworks/subnets@2025-01-01' = {
  parent: virtualNetwork
  name: '${namePrefix}-functions'
  properties: {
    addressPrefix: functionSubnetPrefix
    networkSecurityGroup: empty(functionSubnetNetworkSecurityGroupId) ? null : {
      id: functionSubnetNetworkSecurityGroupId
    }
    routeTable: empty(functionSubnetRouteTableId) ? null : {
      id: functionSubnetRouteTableId
    }
    natGateway: empty(functionSubnetNatGatewayId) ? null : {
      id: functionSubnetNatGatewayId
    }
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
    networkSecurityGroup: empty(privateEndpointSubnetNetworkSecurityGroupId) ? null : {
      id: privateEndpointSubnetNetworkSecurityGroupId
    }
    routeTable: empty(privateEndpointSubnetRouteTableId) ? null : {
      id: privateEndpointSubnetRouteTableId
    }
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
