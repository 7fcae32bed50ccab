@description('Name of the identity.')
param name string

@description('Region of the identity.')
param location string

@description('Tags of the identity.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Resource id of the identity.')
output id string = identity.id

@description('Client id of the identity, by which the app asks for its tokens.')
output clientId string = identity.properties.clientId

@description('Object id of the identity, to which roles are assigned.')
output principalId string = identity.properties.principalId
