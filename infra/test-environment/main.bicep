// A network to try failovers in: three web servers behind an internal load balancer, two NVAs in front of them,
// one public IP and two route tables that follow the active NVA, and a jumpbox.
@description('Region of everything.')
param location string = resourceGroup().location

@description('Public SSH key for every machine. There is no password anywhere.')
param sshPublicKey string

@description('Name of the administrator of every machine.')
param adminUsername string = 'azureuser'

@description('Size of every machine; it must take two network interfaces.')
param vmSize string = 'Standard_B2ats_v2'

@description('Put the NVAs and web servers into availability zones, in a region that has them.')
param useZones bool = false

@allowed([
  'flex'
  'dedicated'
])
@description('What the subnet for the monitor is delegated to; the same as hosting of infra/main.bicep.')
param hosting string = 'flex'

@description('Azure Bastion as the way to the jumpbox; it costs more than the rest together. Without it the jumpbox is reached by serial console or run-command only.')
param bastion bool = true

var loadBalancerAddress = '10.0.1.100'
var nvas = [
  {
    name: 'ha-nva-vm1'
    external: '10.0.0.68'
    internal: '10.0.0.100'
  }
  {
    name: 'ha-nva-vm2'
    external: '10.0.0.69'
    internal: '10.0.0.101'
  }
]
var webServers = [
  'ha-nva-web-vm1'
  'ha-nva-web-vm2'
  'ha-nva-web-vm3'
]

resource externalGuard 'Microsoft.Network/networkSecurityGroups@2025-01-01' = {
  name: 'ha-nva-dmz-external-nsg'
  location: location
  properties: {
    securityRules: [
      {
        name: 'web-in'
        properties: {
          // checkov:skip=CKV_AZURE_160: the public web page is what the NVAs stand in front of
          description: 'The public page of this test environment.'
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: 'Internet'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.0.0.64/27'
          destinationPortRanges: [
            '80'
            '443'
          ]
        }
      }
    ]
  }
}

// The NVAs forward packets whose source or destination is not in the virtual network; the default rules drop those.
resource internalGuard 'Microsoft.Network/networkSecurityGroups@2025-01-01' = {
  name: 'ha-nva-dmz-internal-nsg'
  location: location
  properties: {
    securityRules: [
      {
        name: 'forwarded-in'
        properties: {
          description: 'What the web servers and the jumpbox send out through the NVA.'
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: '*'
          sourceAddressPrefix: '10.0.0.0/16'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
      {
        name: 'forwarded-out'
        properties: {
          description: 'What the NVA passes on to the web servers, with the client address unchanged.'
          priority: 100
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.0.1.0/24'
          destinationPortRanges: [
            '80'
            '443'
          ]
        }
      }
    ]
  }
}

resource webGuard 'Microsoft.Network/networkSecurityGroups@2025-01-01' = {
  name: 'ha-nva-web-nsg'
  location: location
  properties: {
    securityRules: [
      {
        name: 'web-in'
        properties: {
          // checkov:skip=CKV_AZURE_160: the servers have no public address; what arrives has passed an NVA and keeps its source
          description: 'Requests forwarded by the NVAs, with the client address unchanged.'
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.0.1.0/24'
          destinationPortRanges: [
            '80'
            '443'
          ]
        }
      }
    ]
  }
}

resource managementGuard 'Microsoft.Network/networkSecurityGroups@2025-01-01' = {
  name: 'ha-nva-mgmt-nsg'
  location: location
  properties: {
    securityRules: []
  }
}

resource webRoutes 'Microsoft.Network/routeTables@2025-01-01' = {
  name: 'ha-nva-udr'
  location: location
  properties: {
    routes: [
      {
        name: 'default'
        properties: {
          addressPrefix: '0.0.0.0/0'
          nextHopType: 'VirtualAppliance'
          nextHopIpAddress: nvas[0].internal
        }
      }
    ]
  }
}

resource managementRoutes 'Microsoft.Network/routeTables@2025-01-01' = {
  name: 'ha-nva-mgmt-udr'
  location: location
  properties: {
    routes: [
      {
        name: 'default'
        properties: {
          addressPrefix: '0.0.0.0/0'
          nextHopType: 'VirtualAppliance'
          nextHopIpAddress: nvas[0].internal
        }
      }
    ]
  }
}

resource virtualNetwork 'Microsoft.Network/virtualNetworks@2025-01-01' = {
  name: 'ha-nva-vnet'
  location: location
  properties: {
    addressSpace: {
      addressPrefixes: [
        '10.0.0.0/16'
      ]
    }
    subnets: [
      {
        name: 'dmz-external'
        properties: {
          addressPrefix: '10.0.0.64/27'
          networkSecurityGroup: {
            id: externalGuard.id
          }
        }
      }
      {
        name: 'dmz-internal'
        properties: {
          addressPrefix: '10.0.0.96/27'
          networkSecurityGroup: {
            id: internalGuard.id
          }
        }
      }
      {
        name: 'mgmt'
        properties: {
          addressPrefix: '10.0.0.128/25'
          networkSecurityGroup: {
            id: managementGuard.id
          }
          routeTable: {
            id: managementRoutes.id
          }
        }
      }
      {
        name: 'web'
        properties: {
          addressPrefix: '10.0.1.0/24'
          networkSecurityGroup: {
            id: webGuard.id
          }
          routeTable: {
            id: webRoutes.id
          }
        }
      }
      {
        name: 'functions'
        properties: {
          addressPrefix: '10.0.2.0/26'
          networkSecurityGroup: {
            id: managementGuard.id
          }
          delegations: [
            {
              name: 'functions'
              properties: {
                serviceName: hosting == 'flex' ? 'Microsoft.App/environments' : 'Microsoft.Web/serverFarms'
              }
            }
          ]
        }
      }
      {
        name: 'private-endpoints'
        properties: {
          addressPrefix: '10.0.2.64/27'
          networkSecurityGroup: {
            id: managementGuard.id
          }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
      {
        name: 'AzureBastionSubnet'
        properties: {
          addressPrefix: '10.0.3.0/26'
        }
      }
    ]
  }
}

var subnetPrefix = '${virtualNetwork.id}/subnets'

resource publicIp 'Microsoft.Network/publicIPAddresses@2025-01-01' = {
  name: 'ha-nva-pip'
  location: location
  sku: {
    name: 'Standard'
  }
  zones: useZones ? [
    '1'
    '2'
    '3'
  ] : []
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

resource loadBalancer 'Microsoft.Network/loadBalancers@2025-01-01' = {
  name: 'ha-nva-web-lb'
  location: location
  sku: {
    name: 'Standard'
  }
  properties: {
    frontendIPConfigurations: [
      {
        name: 'web'
        properties: {
          privateIPAddress: loadBalancerAddress
          privateIPAllocationMethod: 'Static'
          subnet: {
            id: '${subnetPrefix}/web'
          }
        }
      }
    ]
    backendAddressPools: [
      {
        name: 'web'
      }
    ]
    probes: [
      {
        name: 'http'
        properties: {
          protocol: 'Tcp'
          port: 80
          intervalInSeconds: 5
          numberOfProbes: 2
        }
      }
    ]
    loadBalancingRules: [for port in [
      80
      443
    ]: {
      name: 'port-${port}'
      properties: {
        frontendIPConfiguration: {
          id: resourceId('Microsoft.Network/loadBalancers/frontendIPConfigurations', 'ha-nva-web-lb', 'web')
        }
        backendAddressPool: {
          id: resourceId('Microsoft.Network/loadBalancers/backendAddressPools', 'ha-nva-web-lb', 'web')
        }
        probe: {
          id: resourceId('Microsoft.Network/loadBalancers/probes', 'ha-nva-web-lb', 'http')
        }
        protocol: 'Tcp'
        frontendPort: port
        backendPort: port
      }
    }]
  }
}

resource webInterfaces 'Microsoft.Network/networkInterfaces@2025-01-01' = [for server in webServers: {
  name: '${server}-nic1'
  location: location
  properties: {
    ipConfigurations: [
      {
        name: 'ipconfig1'
        properties: {
          privateIPAllocationMethod: 'Dynamic'
          subnet: {
            id: '${subnetPrefix}/web'
          }
          loadBalancerBackendAddressPools: [
            {
              id: '${loadBalancer.id}/backendAddressPools/web'
            }
          ]
        }
      }
    ]
  }
}]

module web './vm.bicep' = [for (server, i) in webServers: {
  name: server
  params: {
    name: server
    location: location
    size: vmSize
    zones: useZones ? [
      string(i + 1)
    ] : []
    adminUsername: adminUsername
    sshPublicKey: sshPublicKey
    cloudInit: loadTextContent('./cloud-init/web.yaml')
    networkInterfaceIds: [
      webInterfaces[i].id
    ]
  }
}]

resource externalInterfaces 'Microsoft.Network/networkInterfaces@2025-01-01' = [for (nva, i) in nvas: {
  name: '${nva.name}-nic1'
  location: location
  properties: {
    enableIPForwarding: true
    ipConfigurations: [
      {
        name: 'ipconfig1'
        properties: {
          privateIPAllocationMethod: 'Static'
          privateIPAddress: nva.external
          subnet: {
            id: '${subnetPrefix}/dmz-external'
          }
          publicIPAddress: i == 0 ? {
            id: publicIp.id
          } : null
        }
      }
    ]
  }
}]

resource internalInterfaces 'Microsoft.Network/networkInterfaces@2025-01-01' = [for nva in nvas: {
  name: '${nva.name}-nic2'
  location: location
  properties: {
    enableIPForwarding: true
    ipConfigurations: [
      {
        name: 'ipconfig1'
        properties: {
          privateIPAllocationMethod: 'Static'
          privateIPAddress: nva.internal
          subnet: {
            id: '${subnetPrefix}/dmz-internal'
          }
        }
      }
    ]
  }
}]

module appliances './vm.bicep' = [for (nva, i) in nvas: {
  name: nva.name
  params: {
    name: nva.name
    location: location
    size: vmSize
    zones: useZones ? [
      string(i + 1)
    ] : []
    adminUsername: adminUsername
    sshPublicKey: sshPublicKey
    cloudInit: loadTextContent('./cloud-init/nva.yaml')
    networkInterfaceIds: [
      externalInterfaces[i].id
      internalInterfaces[i].id
    ]
  }
}]

resource jumpboxInterface 'Microsoft.Network/networkInterfaces@2025-01-01' = {
  name: 'ha-nva-jb-vm1-nic1'
  location: location
  properties: {
    ipConfigurations: [
      {
        name: 'ipconfig1'
        properties: {
          privateIPAllocationMethod: 'Dynamic'
          subnet: {
            id: '${subnetPrefix}/mgmt'
          }
        }
      }
    ]
  }
}

module jumpbox './vm.bicep' = {
  name: 'ha-nva-jb-vm1'
  params: {
    name: 'ha-nva-jb-vm1'
    location: location
    size: vmSize
    zones: []
    adminUsername: adminUsername
    sshPublicKey: sshPublicKey
    cloudInit: loadTextContent('./cloud-init/jumpbox.yaml')
    networkInterfaceIds: [
      jumpboxInterface.id
    ]
  }
}

resource bastionIp 'Microsoft.Network/publicIPAddresses@2025-01-01' = if (bastion) {
  name: 'ha-nva-bastion-pip'
  location: location
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

resource bastionHost 'Microsoft.Network/bastionHosts@2025-01-01' = if (bastion) {
  name: 'ha-nva-bastion'
  location: location
  sku: {
    name: 'Standard'
  }
  properties: {
    enableTunneling: true
    ipConfigurations: [
      {
        name: 'ipconfig1'
        properties: {
          subnet: {
            id: '${subnetPrefix}/AzureBastionSubnet'
          }
          publicIPAddress: {
            id: bastionIp.id
          }
        }
      }
    ]
  }
}

var configuredNvas = [for (nva, i) in nvas: {
  name: nva.name
  interfaces: {
    external: externalInterfaces[i].id
    internal: internalInterfaces[i].id
  }
  probe: {
    interface: 'internal'
    port: 22
  }
}]

@description('Address of the public page.')
output publicAddress string = publicIp.properties.ipAddress

@description('Subnet for the monitor; existingFunctionSubnetId of infra/main.bicep.')
output functionSubnetId string = '${subnetPrefix}/functions'

@description('Subnet for the monitor\'s private endpoints; existingPrivateEndpointSubnetId of infra/main.bicep.')
output privateEndpointSubnetId string = '${subnetPrefix}/private-endpoints'

@description('What the monitor may work on; networkScopes of infra/main.bicep.')
output networkScopes string = resourceGroup().id

@description('The monitor\'s configuration for this environment; config of infra/main.bicep.')
output config string = string({
  groups: [
    {
      name: 'edge'
      nvas: configuredNvas
      route_tables: [
        webRoutes.id
        managementRoutes.id
      ]
      public_ips: {
        external: publicIp.id
      }
    }
  ]
})
