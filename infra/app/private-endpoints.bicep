@description('Start of the endpoints\' names.')
param namePrefix string

@description('Region of the endpoints.')
param location string

@description('Tags of every resource here.')
param tags object

@description('Storage account behind the endpoints.')
param storageAccountId string

@description('Subnet of the endpoints.')
param subnetId string

@description('Create the private DNS zones and link them to the subnet\'s virtual network.')
param createDnsZones bool

@description('Resource group with private DNS zones to use instead of new ones; empty for none.')
param existingDnsZonesGroupId string

// The services that the Functions host and the monitor use; nothing uses files.
var services = [
  'blob'
  'queue'
  'table'
]
var newZones = createDnsZones && empty(existingDnsZonesGroupId)
var zoneRecords = createDnsZones || !empty(existingDnsZonesGroupId)
var existingZonePrefix = '${existingDnsZonesGroupId}/providers/Microsoft.Network/privateDnsZones'
var suffix = environment().suffixes.storage
var virtualNetworkId = split(subnetId, '/subnets/')[0]

// Every loop here runs over the same list. One over another, shorter list that an index refers to stops the deployment,
// even where a condition leaves the reference out: the compiler's dependsOn stands outside the condition.
resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [for service in services: if (newZones) {
  name: 'privatelink.${service}.${suffix}'
  location: 'global'
  tags: tags
}]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (service, i) in services: if (newZones) {
  parent: zones[i]
  name: 'nvaha-${uniqueString(virtualNetworkId)}'
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: virtualNetworkId
    }
  }
}]

resource endpoints 'Microsoft.Network/privateEndpoints@2025-01-01' = [for service in services: {
  name: '${namePrefix}-${service}'
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: service
        properties: {
          privateLinkServiceId: storageAccountId
          groupIds: [
            service
          ]
        }
      }
    ]
  }
}]

resource records 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-01-01' = [for (service, i) in services: if (zoneRecords) {
  parent: endpoints[i]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: service
        properties: {
          privateDnsZoneId: empty(existingDnsZonesGroupId) ? zones[i].id : '${existingZonePrefix}/privatelink.${service}.${suffix}'
        }
      }
    ]
  }
}]
