targetScope = 'subscription'

@description('Name of the role, unique in the tenant.')
param roleName string

@description('What the role is for.')
param roleDescription string

@description('Actions that the role grants.')
param actions array

@description('Subscriptions in which the role can be assigned.')
param assignableScopes array

resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, roleName)
  properties: {
    roleName: roleName
    description: roleDescription
    type: 'CustomRole'
    permissions: [
      {
        actions: actions
        notActions: []
      }
    ]
    assignableScopes: assignableScopes
  }
}

@description('Resource id of the role definition.')
output id string = role.id
