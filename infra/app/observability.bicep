@description('Name of a new workspace.')
param workspaceName string

@description('Name of the Application Insights component.')
param applicationInsightsName string

@description('Region of both.')
param location string

@description('Tags of both.')
param tags object

@description('Existing workspace to use; empty creates one.')
param existingWorkspaceId string

@description('Days that a new workspace keeps logs.')
param retentionDays int

@description('Storage account that a copy of every event goes to; empty for none.')
param eventArchiveStorageId string

@description('Object id of the identity that sends telemetry.')
param principalId string

var monitoringMetricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = if (empty(existingWorkspaceId)) {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

var logWorkspaceId = empty(existingWorkspaceId) ? workspace.id : existingWorkspaceId

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' = {
  name: applicationInsightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    DisableLocalAuth: true
    WorkspaceResourceId: logWorkspaceId
  }
}

resource archive 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(eventArchiveStorageId)) {
  name: 'nvaha'
  scope: applicationInsights
  properties: {
    storageAccountId: eventArchiveStorageId
    logs: [
      {
        category: 'AppTraces'
        enabled: true
      }
    ]
  }
}

resource publisher 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(applicationInsights.id, principalId, monitoringMetricsPublisher)
  scope: applicationInsights
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', monitoringMetricsPublisher)
  }
}

@description('Workspace with the logs.')
output workspaceId string = logWorkspaceId

@description('Where telemetry goes; no secret while local authentication is off.')
output connectionString string = applicationInsights.properties.ConnectionString

@description('Application Insights component of the app.')
output componentId string = applicationInsights.id
