@description('Name of the test.')
param testName string

@description('Name of the alert rule.')
param alertName string

@description('Region of the Application Insights component.')
param location string

@description('Tags of both.')
param tags object

@description('Application Insights component that takes the results.')
param componentId string

@description('Address of the function app.')
param url string

@description('The places that ask, each as an object with its population name as Id.')
param places array

@description('Action groups to tell, each as an object with its id as actionGroupId.')
param actions array

// Each place asks every five minutes, one about every minute. One that fails asks twice more before it says so.
resource test 'Microsoft.Insights/webtests@2022-06-15' = {
  name: testName
  location: location
  tags: union(tags, {
    'hidden-link:${componentId}': 'Resource'
  })
  kind: 'standard'
  properties: {
    SyntheticMonitorId: testName
    Name: testName
    Description: 'Whether a monitor leads and watches everything, as seen from outside.'
    Kind: 'standard'
    Enabled: true
    Frequency: 300
    Timeout: 30
    RetryEnabled: true
    Locations: places
    Request: {
      RequestUrl: '${url}/api/health'
      HttpVerb: 'GET'
      FollowRedirects: false
      ParseDependentRequests: false
    }
    ValidationRules: {
      ExpectedHttpStatusCode: 200
      SSLCheck: false
    }
  }
}

// Two places may be wrong about it, as Microsoft advises: the network between is not ours.
resource alert 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: alertName
  location: 'global'
  tags: tags
  properties: {
    description: 'nvaha: /api/health is not 200, or does not answer, as seen from outside. docs/monitoring.md says what to do.'
    severity: 1
    enabled: true
    autoMitigate: true
    scopes: [
      test.id
      componentId
    ]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria'
      webTestId: test.id
      componentId: componentId
      failedLocationCount: max(1, length(places) - 2)
    }
    actions: actions
  }
}
