@description('Start of the rules\' names.')
param namePrefix string

@maxLength(40)
@description('Name of the action group.')
param actionGroupName string

@description('Region of the rules.')
param location string

@description('Tags of every resource here.')
param tags object

@description('Workspace that the rules query.')
param workspaceId string

@description('E-mail addresses to tell.')
param emails array

// windowSize is longer than evaluationFrequency because telemetry arrives up to some minutes late.
var rules = [
  {
    name: 'active-nva-down'
    title: 'nvaha: the active NVA of a group is down'
    severity: 1
    query: loadTextContent('../queries/active-nva-down.kql')
  }
  {
    name: 'all-nvas-down'
    title: 'nvaha: every NVA of a group is down'
    severity: 0
    query: loadTextContent('../queries/all-nvas-down.kql')
  }
  {
    name: 'switch-failed'
    title: 'nvaha: a switch failed'
    severity: 0
    query: loadTextContent('../queries/switch-failed.kql')
  }
  {
    name: 'switch-unclaimed'
    title: 'nvaha: nobody carries a switch out'
    severity: 0
    query: loadTextContent('../queries/switch-unclaimed.kql')
  }
  {
    name: 'no-leader'
    title: 'nvaha: no monitor has led for a minute'
    severity: 0
    query: loadTextContent('../queries/no-leader.kql')
  }
  {
    name: 'poison-message'
    title: 'nvaha: a switch request was given up'
    severity: 1
    query: loadTextContent('../queries/poison-message.kql')
  }
  {
    name: 'nva-not-ready'
    title: 'nvaha: an NVA is not ready for a switch'
    severity: 2
    query: loadTextContent('../queries/nva-not-ready.kql')
  }
  {
    name: 'host-ends'
    title: 'nvaha: the Functions host ends again and again'
    severity: 1
    query: loadTextContent('../queries/host-ends.kql')
  }
]

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: actionGroupName
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

resource alertRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: '${namePrefix}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: rule.title
    description: 'docs/monitoring.md says what to do.'
    severity: rule.severity
    enabled: true
    // A new workspace has no AppTraces until the first telemetry arrives; the queries are checked by tests/infra.
    skipQueryValidation: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT10M'
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        actionGroup.id
      ]
    }
  }
}]
