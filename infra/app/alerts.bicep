@description('Start of the rules\' names.')
param namePrefix string

@description('Region of the rules.')
param location string

@description('Tags of every resource here.')
param tags object

@description('Workspace that the rules query.')
param workspaceId string

@description('Action groups to tell.')
param actionGroupIds array

// Each group, set of NVAs, operation or app has an alert of its own, so that one is not silent while another's is open.
var byGroup = [
  {
    name: 'Group'
    operator: 'Include'
    values: [
      '*'
    ]
  }
]
var byNvas = [
  {
    name: 'Group'
    operator: 'Include'
    values: [
      '*'
    ]
  }
  {
    name: 'Nvas'
    operator: 'Include'
    values: [
      '*'
    ]
  }
]
var byOperation = [
  {
    name: 'Group'
    operator: 'Include'
    values: [
      '*'
    ]
  }
  {
    name: 'Operation'
    operator: 'Include'
    values: [
      '*'
    ]
  }
]
var byApp = [
  {
    name: 'App'
    operator: 'Include'
    values: [
      '*'
    ]
  }
]

// One rule a row. Those on a group go by its newest line, however long ago that was told within six hours, the longest that
// Azure Monitor takes for a rule run each minute. Those on an event look back ten minutes: telemetry may be some minutes late.
var rules = [
  {
    name: 'all-nvas-down'
    title: 'nvaha: every NVA of a group is down'
    severity: 0
    query: loadTextContent('../queries/all-nvas-down.kql')
    every: 'PT1M'
    window: 'PT6H'
    by: byGroup
  }
  {
    name: 'active-nva-down'
    title: 'nvaha: the active NVA of a group is down, and none has taken over'
    severity: 0
    query: loadTextContent('../queries/active-nva-down.kql')
    every: 'PT1M'
    window: 'PT6H'
    by: byGroup
  }
  {
    name: 'nva-down'
    title: 'nvaha: an NVA is down'
    severity: 1
    query: loadTextContent('../queries/nva-down.kql')
    every: 'PT1M'
    window: 'PT6H'
    by: byNvas
  }
  {
    name: 'switch-failed'
    title: 'nvaha: a switch failed'
    severity: 0
    query: loadTextContent('../queries/switch-failed.kql')
    every: 'PT1M'
    window: 'PT6H'
    by: byGroup
  }
  {
    name: 'switch-unclaimed'
    title: 'nvaha: nobody carries a switch out'
    severity: 0
    query: loadTextContent('../queries/switch-unclaimed.kql')
    every: 'PT1M'
    window: 'PT6H'
    by: byGroup
  }
  {
    name: 'group-unwatched'
    title: 'nvaha: a group is not watched'
    severity: 0
    query: loadTextContent('../queries/group-unwatched.kql')
    every: 'PT1M'
    window: 'PT6H'
    by: byGroup
  }
  {
    name: 'no-leader'
    title: 'nvaha: no monitor has been seen to lead for a minute'
    severity: 0
    query: loadTextContent('../queries/no-leader.kql')
    every: 'PT1M'
    window: 'PT10M'
    by: []
  }
  {
    name: 'monitor-blind'
    title: 'nvaha: the monitor sees nothing'
    severity: 1
    query: loadTextContent('../queries/monitor-blind.kql')
    every: 'PT1M'
    window: 'PT10M'
    by: []
  }
  {
    name: 'rival'
    title: 'nvaha: somebody else moves a group as well'
    severity: 1
    query: loadTextContent('../queries/rival.kql')
    every: 'PT1M'
    window: 'PT6H'
    by: byGroup
  }
  {
    name: 'poison-message'
    title: 'nvaha: a switch request was given up'
    severity: 1
    query: loadTextContent('../queries/poison-message.kql')
    every: 'PT1M'
    window: 'PT10M'
    by: byOperation
  }
  {
    name: 'host-ends'
    title: 'nvaha: the Functions host ends again and again'
    severity: 1
    query: loadTextContent('../queries/host-ends.kql')
    every: 'PT1M'
    window: 'PT10M'
    by: byApp
  }
  {
    name: 'active-unknown'
    title: 'nvaha: the active NVA of a group is not known'
    severity: 1
    query: loadTextContent('../queries/active-unknown.kql')
    every: 'PT1M'
    window: 'PT6H'
    by: byGroup
  }
  {
    name: 'no-token'
    title: 'nvaha: an app can have no token'
    severity: 1
    query: loadTextContent('../queries/no-token.kql')
    every: 'PT1M'
    window: 'P1D'
    by: byApp
  }
  {
    name: 'failover-dropped'
    title: 'nvaha: a scheduled failover was not begun'
    severity: 1
    query: loadTextContent('../queries/failover-dropped.kql')
    every: 'PT1M'
    window: 'PT10M'
    by: byGroup
  }
  {
    name: 'nva-not-ready'
    title: 'nvaha: an NVA is not ready for a switch'
    severity: 2
    query: loadTextContent('../queries/nva-not-ready.kql')
    every: 'PT5M'
    window: 'PT6H'
    by: byNvas
  }
  {
    name: 'nva-unsteady'
    title: 'nvaha: an NVA fails many of its probes'
    severity: 2
    query: loadTextContent('../queries/nva-unsteady.kql')
    every: 'PT5M'
    window: 'PT6H'
    by: byNvas
  }
  {
    name: 'drift'
    title: 'nvaha: routes or public IPs do not agree with the record'
    severity: 2
    query: loadTextContent('../queries/drift.kql')
    every: 'PT5M'
    window: 'PT6H'
    by: byGroup
  }
  {
    name: 'canary-failed'
    title: 'nvaha: the canary could not be switched'
    severity: 2
    query: loadTextContent('../queries/canary-failed.kql')
    every: 'PT5M'
    window: 'P1D'
    by: byGroup
  }
  {
    name: 'throttled'
    title: 'nvaha: Azure refuses looks at a group'
    severity: 2
    query: loadTextContent('../queries/throttled.kql')
    every: 'PT5M'
    window: 'PT6H'
    by: byGroup
  }
  {
    name: 'monitor-silent'
    title: 'nvaha: a monitor is silent'
    severity: 2
    query: loadTextContent('../queries/monitor-silent.kql')
    every: 'PT5M'
    window: 'P1D'
    by: byApp
  }
  {
    name: 'no-standby'
    title: 'nvaha: no monitor stands by any more'
    severity: 2
    query: loadTextContent('../queries/no-standby.kql')
    every: 'PT5M'
    window: 'P1D'
    by: []
  }
]

resource alertRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: '${namePrefix}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: rule.title
    description: 'docs/runbook.md says what to do: look there for ${rule.name}.'
    severity: rule.severity
    enabled: true
    // A new workspace has no AppTraces until the first telemetry arrives; the queries are checked by tests/infra.
    skipQueryValidation: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: rule.every
    windowSize: rule.window
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: rule.query
          dimensions: rule.by
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
      actionGroups: actionGroupIds
    }
  }
}]
