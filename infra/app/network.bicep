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
            id: guard.id
          }
          natGateway: empty(natGatewayName) ? null : {
            id: nat.id
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
            id: guard.id
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
