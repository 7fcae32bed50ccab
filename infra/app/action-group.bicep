@maxLength(40)
@description('Name of the action group.')
param name string

@description('Tags of the action group.')
param tags object

@description('E-mail addresses to tell; empty makes no action group.')
param emails array

@description('Action group to tell besides; empty for none.')
param existingActionGroupId string

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(emails)) {
  name: name
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'nvaha'
    emailReceivers: [for (address, i) in emails: {
      name: 'email-${i}'
      emailAddress: address
      useCommonAlertSchema: true
    }]
  }
}

@description('Everybody who is to be told, for a log alert.')
output ids array = union(empty(emails) ? [] : [
  actionGroup.id
], empty(existingActionGroupId) ? [] : [
  existingActionGroupId
])

@description('The same for a metric alert.')
output actions array = union(empty(emails) ? [] : [
  {
    actionGroupId: actionGroup.id
  }
], empty(existingActionGroupId) ? [] : [
  {
    actionGroupId: existingActionGroupId
  }
])
