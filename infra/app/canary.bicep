// A route table that no subnet uses, for the canary: it is switched to see that switching works.
@description('Name of the route table.')
param name string

@description('Region of the route table.')
param location string

@description('Tags of the route table.')
param tags object

// A documentation prefix to a documentation address (RFC 5737): no packet has either.
resource routeTable 'Microsoft.Network/routeTables@2025-01-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    disableBgpRoutePropagation: true
    routes: [
      {
        name: 'canary'
        properties: {
          addressPrefix: '203.0.113.0/24'
          nextHopType: 'VirtualAppliance'
          nextHopIpAddress: '192.0.2.1'
        }
      }
    ]
  }
}

@description('Id of the route table, for canary.route_table in the configuration.')
output id string = routeTable.id
