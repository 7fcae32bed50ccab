@description('Name of the virtual network.')
param name string

@description('Region of the virtual network.')
param location string

@description('Tags of every resource here.')
param tags object

@description('Address range of the virtual network.')
param addressPrefix string

@description('Address range of the function app\'s subnet.')
param functionSubnetPrefix string

@description('Address range of the private endpoints\' subnet.')
param privateEndpointSubnetPrefix string

@description('Service that the function app\'s subnet is delegated to.')
param delegation string

@description('Service endpoints of the function app\'s subnet.')
param serviceEndpoints array

@description('Name of the NAT gateway; empty for none.')
param natGatewayName string

@description('Name of the NAT gateway\'s public IP.')
param publicIpName string

@description('Name of the network security group of both subnets.')
param networkSecurityGroupName string

@description('Network security group of the function app\'s subnet instead of the one made here; empty for that.')
param functionSubnetNetworkSecurityGroupId string

@description('Route table of the function app\'s subnet; empty for none.')
param functionSubnetRouteTableId string

@description('NAT gateway of the function app\'s subnet instead of one made here; empty for that, or none.')
param functionSubnetNatGatewayId string

@description('Network security group of the private endpoints\' subnet instead of the one made here; empty for that.')
param privateEndpointSubnetNetworkSecurityGroupId string

@description('Route table of the private endpoints\' subnet; empty for none.')
param privateEndpointSubnetRouteTableId string

var natGatewayId = empty(natGatewayName) ? functionSubnetNatGatewayId : nat.id

resource publicIp 'Microsoft.Network/publicIPAddresses@2025-01-01' = if (!empty(natGatewayName)) {
  name: publicIpName
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

resource nat 'Microsoft.Network/natGateways@2025-01-01' = if (!empty(natGatewayName)) {
  name: empty(natGatewayName) ? 'unused' : natGatewayName
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    idleTimeoutInMinutes: 4
    publicIpAddresses: [
      {
        id: publicIp.id
      }
    ]
  }
}

// Azure's default rules suffice: nothing from the internet comes in, the app may go out.
resource guard 'Microsoft.Network/networkSecurityGroups@2025-01-01' = {
  name: networkSecurityGroupName
  location: location
  tags: tags
  properties: {
    securityRules: []
  }
}

// Azure writes a subnet whole: what is not named here is taken off it at every deployment.
resource virtualNetwork 'Microsoft.Network/virtualNetworks@2025-01-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        addressPrefix
      ]
    }
    subnets: [
      {
        name: 'functions'
        properties: {
          addressPrefix: functionSubnetPrefix
          networkSecurityGroup: {
            id: empty(functionSubnetNetworkSecurityGroupId) ? guard.id : functionSubnetNetworkSecurityGroupId
          }
          routeTable: empty(functionSubnetRouteTableId) ? null : {
            id: functionSubnetRouteTableId
          }
          natGateway: empty(natGatewayId) ? null : {
            id: natGatewayId
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
      {
        name: 'private-endpoints'
        properties: {
          addressPrefix: privateEndpointSubnetPrefix
          networkSecurityGroup: {
            id: empty(privateEndpointSubnetNetworkSecurityGroupId) ? guard.id : privateEndpointSubnetNetworkSecurityGroupId
          }
          routeTable: empty(privateEndpointSubnetRouteTableId) ? null : {
            id: privateEndpointSubnetRouteTableId
          }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}

@description('Subnet for VNet integration.')
output functionSubnetId string = '${virtualNetwork.id}/subnets/functions'

@description('Subnet for private endpoints.')
output privateEndpointSubnetId string = '${virtualNetwork.id}/subnets/private-endpoints'
