@description('Name of the virtual machine.')
param name string

@description('Region of the virtual machine.')
param location string

@description('Size of the virtual machine.')
param size string

@description('Availability zones of the virtual machine; empty for none.')
param zones array

@description('Name of the administrator, who logs in with the key below and nothing else.')
param adminUsername string

@description('Public SSH key of the administrator.')
param sshPublicKey string

@description('cloud-init configuration.')
param cloudInit string

@description('Ids of the network interfaces, the primary one first.')
param networkInterfaceIds array

resource vm 'Microsoft.Compute/virtualMachines@2024-11-01' = {
  // checkov:skip=CKV_AZURE_97: encryption at host must first be registered for the subscription, and this test machine holds no data
  // checkov:skip=CKV_AZURE_151: the same, and it is Linux
  // checkov:skip=CKV_AZURE_50: no extension is installed; extensions stay allowed because break-active.sh uses run-command
  name: name
  location: location
  zones: zones
  properties: {
    hardwareProfile: {
      vmSize: size
    }
    osProfile: {
      computerName: name
      adminUsername: adminUsername
      customData: base64(cloudInit)
      linuxConfiguration: {
        disablePasswordAuthentication: true
        provisionVMAgent: true
        ssh: {
          publicKeys: [
            {
              path: '/home/${adminUsername}/.ssh/authorized_keys'
              keyData: sshPublicKey
            }
          ]
        }
      }
    }
    securityProfile: {
      securityType: 'TrustedLaunch'
      uefiSettings: {
        secureBootEnabled: true
        vTpmEnabled: true
      }
    }
    storageProfile: {
      imageReference: {
        publisher: 'Canonical'
        offer: 'ubuntu-24_04-lts'
        sku: 'server'
        version: 'latest'
      }
      osDisk: {
        createOption: 'FromImage'
        deleteOption: 'Delete'
        managedDisk: {
          storageAccountType: 'StandardSSD_LRS'
        }
      }
    }
    networkProfile: {
      networkInterfaces: [for (id, i) in networkInterfaceIds: {
        id: id
        properties: {
          primary: i == 0
        }
      }]
    }
    diagnosticsProfile: {
      bootDiagnostics: {
        enabled: true
      }
    }
  }
}
