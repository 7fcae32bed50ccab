"""A local Azure Resource Manager with a managed-identity endpoint, as honest as Azure is.

simulator = ArmSimulator(environment().resources, PROFILES["typical"], folder=folder)
await simulator.start()
settings = simulator.client_settings("monitor-a")   # for an app's environment
simulator.faults.add(Fault(FaultKind.RESET_AFTER, method="PUT", resource="*nic1"))
simulator.effective.next_hop(route_table_id, "8.8.8.8")
await simulator.stop()
"""

from nvaha.lab.arm.faults import Fault, FaultKind, Faults, retryable, throttled, unserved
from nvaha.lab.arm.log import LogEntry
from nvaha.lab.arm.server import ArmSimulator
from nvaha.lab.arm.switches import Concurrency, Keeps, Pause, Switches
from nvaha.lab.arm.throttle import AZURE_LIMITS, GENEROUS_LIMITS, Bucket, Limits

__all__ = [
    "AZURE_LIMITS",
    "GENEROUS_LIMITS",
    "ArmSimulator",
    "Bucket",
    "Concurrency",
    "Fault",
    "FaultKind",
    "Faults",
    "Keeps",
    "Limits",
    "LogEntry",
    "Pause",
    "Switches",
    "retryable",
    "throttled",
    "unserved",
]
