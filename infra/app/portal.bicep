@description('Name of the dashboard.')
param dashboardName string

@description('Name of the query pack.')
param queryPackName string

@description('Name of the monitor, as it stands in the titles.')
param environmentName string

@description('Region of all three.')
param location string

@description('Tags of all three.')
param tags object

@description('Workspace that the queries ask.')
param workspaceId string

// Every file in infra/queries once: a saved query, and what the workbook and the dashboard show.
var queries = {
  'groups-now': {
    title: 'nvaha: groups now'
    text: loadTextContent('../queries/groups-now.kql')
  }
  'health': {
    title: 'nvaha: NVAs that were down, over time'
    text: loadTextContent('../queries/health.kql')
  }
  'latency': {
    title: 'nvaha: latency of the probes, over time'
    text: loadTextContent('../queries/latency.kql')
  }
  'switches': {
    title: 'nvaha: switches and their phases'
    text: loadTextContent('../queries/switches.kql')
  }
  'arm-errors': {
    title: 'nvaha: errors of Azure Resource Manager'
    text: loadTextContent('../queries/arm-errors.kql')
  }
  'monitors': {
    title: 'nvaha: who led and who followed, over time'
    text: loadTextContent('../queries/monitors.kql')
  }
  'rounds': {
    title: 'nvaha: rounds of the leader'
    text: loadTextContent('../queries/rounds.kql')
  }
  'timeline': {
    title: 'nvaha: everything that happened'
    text: loadTextContent('../queries/timeline.kql')
  }
  'cost-of-events': {
    title: 'nvaha: what the events are billed for'
    text: loadTextContent('../queries/cost-of-events.kql')
  }
  'ingestion': {
    title: 'nvaha: what the workspace is billed for'
    text: loadTextContent('../queries/ingestion.kql')
  }
  'all-nvas-down': {
    title: 'nvaha: alert: every NVA of a group is down'
    text: loadTextContent('../queries/all-nvas-down.kql')
  }
  'active-nva-down': {
    title: 'nvaha: alert: the active NVA is down, and none has taken over'
    text: loadTextContent('../queries/active-nva-down.kql')
  }
  'nva-down': {
    title: 'nvaha: alert: an NVA is down'
    text: loadTextContent('../queries/nva-down.kql')
  }
  'switch-failed': {
    title: 'nvaha: alert: a switch failed'
    text: loadTextContent('../queries/switch-failed.kql')
  }
  'switch-unclaimed': {
    title: 'nvaha: alert: nobody carries a switch out'
    text: loadTextContent('../queries/switch-unclaimed.kql')
  }
  'group-unwatched': {
    title: 'nvaha: alert: a group is not watched'
    text: loadTextContent('../queries/group-unwatched.kql')
  }
  'no-leader': {
    title: 'nvaha: alert: no monitor has been seen to lead'
    text: loadTextContent('../queries/no-leader.kql')
  }
  'monitor-blind': {
    title: 'nvaha: alert: the monitor sees nothing'
    text: loadTextContent('../queries/monitor-blind.kql')
  }
  'rival': {
    title: 'nvaha: alert: somebody else moves a group as well'
    text: loadTextContent('../queries/rival.kql')
  }
  'poison-message': {
    title: 'nvaha: alert: a switch request was given up'
    text: loadTextContent('../queries/poison-message.kql')
  }
  'host-ends': {
    title: 'nvaha: alert: the Functions host ends again and again'
    text: loadTextContent('../queries/host-ends.kql')
  }
  'nva-not-ready': {
    title: 'nvaha: alert: an NVA is not ready for a switch'
    text: loadTextContent('../queries/nva-not-ready.kql')
  }
  'nva-unsteady': {
    title: 'nvaha: alert: an NVA fails many of its probes'
    text: loadTextContent('../queries/nva-unsteady.kql')
  }
  'drift': {
    title: 'nvaha: alert: routes or public IPs do not agree with the record'
    text: loadTextContent('../queries/drift.kql')
  }
  'throttled': {
    title: 'nvaha: alert: Azure refuses looks at a group'
    text: loadTextContent('../queries/throttled.kql')
  }
  'failover-dropped': {
    title: 'nvaha: alert: a scheduled failover was not begun'
    text: loadTextContent('../queries/failover-dropped.kql')
  }
  'no-token': {
    title: 'nvaha: alert: an app can have no token'
    text: loadTextContent('../queries/no-token.kql')
  }
  'monitor-silent': {
    title: 'nvaha: alert: a monitor is silent'
    text: loadTextContent('../queries/monitor-silent.kql')
  }
  'active-unknown': {
    title: 'nvaha: alert: the active NVA of a group is not known'
    text: loadTextContent('../queries/active-unknown.kql')
  }
  'canary-failed': {
    title: 'nvaha: alert: the canary could not be switched'
    text: loadTextContent('../queries/canary-failed.kql')
  }
  'no-standby': {
    title: 'nvaha: alert: no monitor stands by any more'
    text: loadTextContent('../queries/no-standby.kql')
  }
}

// The workbook from top to bottom. A part with reachMs looks back so far, whatever the time range at the top is: what it
// shows is of now, or its query names a time itself.
var parts = [
  {
    name: 'groups-now'
    reachMs: 21600000
    visualization: 'table'
    width: '100'
    x: ''
    y: []
    by: ''
  }
  {
    name: 'health'
    reachMs: 0
    visualization: 'timechart'
    width: '50'
    x: 'TimeGenerated'
    y: [
      'Down'
    ]
    by: 'Group'
  }
  {
    name: 'latency'
    reachMs: 0
    visualization: 'timechart'
    width: '50'
    x: 'TimeGenerated'
    y: [
      'Worst_ms'
    ]
    by: 'Nva'
  }
  {
    name: 'switches'
    reachMs: 604800000
    visualization: 'table'
    width: '100'
    x: ''
    y: []
    by: ''
  }
  {
    name: 'arm-errors'
    reachMs: 0
    visualization: 'table'
    width: '100'
    x: ''
    y: []
    by: ''
  }
  {
    name: 'monitors'
    reachMs: 0
    visualization: 'barchart'
    width: '50'
    x: 'TimeGenerated'
    y: [
      'Signs'
    ]
    by: 'Monitor'
  }
  {
    name: 'rounds'
    reachMs: 21600000
    visualization: 'timechart'
    width: '50'
    x: 'TimeGenerated'
    y: [
      'Worst_ms'
    ]
    by: 'Monitor'
  }
  {
    name: 'timeline'
    reachMs: 86400000
    visualization: 'table'
    width: '100'
    x: ''
    y: []
    by: ''
  }
  {
    name: 'cost-of-events'
    reachMs: 0
    visualization: 'barchart'
    width: '50'
    x: 'Day'
    y: [
      'Billed_MB'
    ]
    by: 'Event'
  }
  {
    name: 'ingestion'
    reachMs: 0
    visualization: 'barchart'
    width: '50'
    x: 'Day'
    y: [
      'Billed_MB'
    ]
    by: 'DataType'
  }
]

// Whatever has to do with an error is red; "well" is the one word that is green.
var adviceIcons = [
  {
    columnMatch: 'Advice'
    formatter: 18
    formatOptions: {
      thresholdsOptions: 'icons'
      thresholdsGrid: [
        {
          operator: '=='
          thresholdValue: 'well'
          representation: 'success'
          text: '{0}{1}'
        }
        {
          operator: 'Default'
          representation: 'warning'
          text: '{0}{1}'
        }
      ]
    }
  }
]

var charts = [for part in parts: {
  type: 3
  name: part.name
  customWidth: part.width
  content: union({
    version: 'KqlItem/1.0'
    query: queries[part.name].text
    title: queries[part.name].title
    size: 0
    noDataMessage: 'Nothing was logged of this.'
    queryType: 0
    resourceType: 'microsoft.operationalinsights/workspaces'
    crossComponentResources: [
      workspaceId
    ]
    visualization: part.visualization
  }, part.reachMs == 0 ? {
    timeContextFromParameter: 'TimeRange'
  } : {
    timeContext: {
      durationMs: part.reachMs
    }
  }, part.visualization == 'table' ? {
    gridSettings: {
      filter: true
      formatters: part.name == 'groups-now' ? adviceIcons : []
    }
  } : {
    chartSettings: {
      xAxis: part.x
      yAxis: part.y
      group: part.by
      createOtherGroup: 20
    }
  })
}]

var workbookContent = {
  version: 'Notebook/1.0'
  items: concat([
    {
      type: 1
      name: 'introduction'
      content: {
        json: '# nvaha: ${environmentName}\n\nGroups, switches and monitors, from what nvaha logs. The word under *Advice* is a section of the runbook at the end of this page.'
      }
    }
    {
      type: 9
      name: 'parameters'
      content: {
        version: 'KqlParameterItem/1.0'
        style: 'pills'
        queryType: 0
        resourceType: 'microsoft.operationalinsights/workspaces'
        parameters: [
          {
            id: guid(resourceGroup().id, 'nvaha workbook', 'TimeRange')
            version: 'KqlParameterItem/1.0'
            name: 'TimeRange'
            label: 'Time range of the charts'
            type: 4
            isRequired: true
            value: {
              durationMs: 86400000
            }
            typeSettings: {
              selectableValues: [
                {
                  durationMs: 3600000
                }
                {
                  durationMs: 21600000
                }
                {
                  durationMs: 86400000
                }
                {
                  durationMs: 604800000
                }
              ]
              allowCustom: true
            }
          }
        ]
      }
    }
  ], charts, [
    {
      type: 12
      name: 'runbook'
      content: {
        version: 'NotebookGroup/1.0'
        groupType: 'editable'
        title: 'Runbook'
        expandable: true
        expanded: false
        items: [
          {
            type: 1
            name: 'runbook text'
            content: {
              json: loadTextContent('../../docs/runbook.md')
            }
          }
        ]
      }
    }
  ])
  fallbackResourceIds: [
    workspaceId
  ]
  isLocked: false
}

// Azure takes nothing but a GUID for its name.
resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'nvaha workbook', environmentName)
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'nvaha: ${environmentName}'
    description: 'Groups, switches and monitors of nvaha, and what they cost.'
    category: 'workbook'
    sourceId: workspaceId
    version: '1.0'
    serializedData: string(workbookContent)
  }
}

resource queryPack 'Microsoft.OperationalInsights/queryPacks@2025-02-01' = {
  name: queryPackName
  location: location
  tags: tags
  properties: {}
}

resource savedQueries 'Microsoft.OperationalInsights/queryPacks/queries@2025-02-01' = [for query in items(queries): {
  parent: queryPack
  name: guid(queryPack.id, query.key)
  properties: {
    displayName: query.value.title
    // The first line of each file says in a sentence what it shows.
    description: substring(split(query.value.text, '\n')[0], 3)
    body: query.value.text
    related: {
      resourceTypes: [
        'microsoft.operationalinsights/workspaces'
      ]
    }
    tags: {
      labels: [
        'nvaha'
      ]
    }
  }
}]

var tiles = [
  {
    name: 'groups-now'
    range: 'PT6H'
    x: 0
    y: 2
    width: 12
    height: 4
    chart: ''
    axes: {}
  }
  {
    name: 'health'
    range: 'P1D'
    x: 0
    y: 6
    width: 6
    height: 4
    chart: 'Line'
    axes: {
      xAxis: {
        name: 'TimeGenerated'
        type: 'datetime'
      }
      yAxis: [
        {
          name: 'Down'
          type: 'long'
        }
      ]
      splitBy: [
        {
          name: 'Group'
          type: 'string'
        }
      ]
      aggregation: 'Max'
    }
  }
  {
    name: 'switches'
    range: 'P7D'
    x: 6
    y: 6
    width: 6
    height: 4
    chart: ''
    axes: {}
  }
  {
    name: 'timeline'
    range: 'P1D'
    x: 0
    y: 10
    width: 12
    height: 4
    chart: ''
    axes: {}
  }
]
var text = [
  {
    position: {
      x: 0
      y: 0
      colSpan: 12
      rowSpan: 2
    }
    metadata: {
      type: 'Extension/HubsExtension/PartType/MarkdownPart'
      inputs: []
      settings: {
        content: {
          settings: {
            title: 'nvaha: ${environmentName}'
            subtitle: ''
            content: '[The workbook](${environment().portal}/#resource${workbook.id}/workbook) has more, and the runbook on each word under *Advice*. [Alerts that are open](${environment().portal}/#view/Microsoft_Azure_Monitoring/AzureMonitoringBrowseBlade/~/alertsV2).'
          }
        }
      }
    }
  }
]

var logTiles = [for tile in tiles: {
  position: {
    x: tile.x
    y: tile.y
    colSpan: tile.width
    rowSpan: tile.height
  }
  // The published type knows no other tile than text.
  metadata: any({
    type: 'Extension/Microsoft_OperationsManagementSuite_Workspace/PartType/LogsDashboardPart'
    inputs: [
      {
        name: 'Scope'
        value: {
          resourceIds: [
            workspaceId
          ]
        }
      }
      {
        name: 'PartId'
        value: guid(dashboardName, tile.name)
      }
      {
        name: 'Version'
        value: '2.0'
      }
      {
        name: 'TimeRange'
        value: tile.range
      }
      {
        name: 'Query'
        value: queries[tile.name].text
      }
      {
        name: 'ControlType'
        value: empty(tile.chart) ? 'AnalyticsGrid' : 'FrameControlChart'
      }
      {
        name: 'SpecificChart'
        value: tile.chart
        isOptional: true
      }
      {
        name: 'Dimensions'
        value: tile.axes
        isOptional: true
      }
      {
        name: 'PartTitle'
        value: queries[tile.name].title
      }
      {
        name: 'PartSubTitle'
        value: environmentName
      }
      {
        name: 'IsQueryContainTimeRange'
        value: contains(queries[tile.name].text, 'ago(')
      }
    ]
    settings: {}
  })
}]

resource dashboard 'Microsoft.Portal/dashboards@2022-12-01-preview' = {
  name: dashboardName
  location: location
  tags: union(tags, {
    'hidden-title': 'nvaha: ${environmentName}'
  })
  properties: {
    lenses: [
      {
        order: 0
        parts: concat(text, logTiles)
      }
    ]
  }
}
