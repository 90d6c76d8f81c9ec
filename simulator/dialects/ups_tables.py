"""UPS's names and codes. Why it refuses is not public: those codes are assumed."""

from simulator.outcomes import Operation, Reason
from simulator.world import DAY_MS, Event, Place

METHODS = {Operation.QUOTE: "GET", Operation.TRACK: "GET"}  # the others are POST
REASONS = frozenset({"AM", "AN", "AQ", "AR", "AS", "FA", "KR", "KS", "KV"})
REASON_TEXTS = {"AM": "Cancelled Order", "AN": "Duplicate Order", "KV": "Other"}
INSTRUCTION = frozenset({"requestType", "requesterContactInfo", "reasonForReturn"})
INSTRUCTION |= {"deliveryDate", "specialInstructions", "newDeliveryAddress"}
FEATURES = ("FD", "WC", "SDWC", "RD")  # besides RTS; nothing here depends on them

TOKEN_SECONDS = 14_399  # assumed; that it is a number of seconds, as a text, is documented
NUMBERS_MAX = 100  # of one subscription call
SUBSCRIPTION_MS = 14 * DAY_MS
USER_AGENT = "UPSPubSubTrackingService"

VALIDATION = ("710", "Failure due to input validation error")
FOREIGN = ("605", "Package address token does not match any tokens in the user's profile.")
SYSTEM = ("500", "System Error")
ASSUMED = {
    Reason.UNKNOWN_WAYBILL: ("1101", "Tracking number is not known"),
    Reason.NOT_PICKED_UP: ("1102", "Package has not been received by UPS yet"),
    Reason.TOO_LATE: ("1103", "Package can no longer be intercepted"),
    Reason.ALREADY_DELIVERED: ("1104", "Package has been delivered"),
    Reason.ALREADY_INTERCEPTED: ("1105", "An intercept request exists for this package"),
    Reason.RETURN_LEG: ("1106", "Package is on its way back to the shipper"),
    Reason.UNLISTED: ("1199", "Intercept is not available for this package"),
}
ASSUMED_NO_INTERCEPT = ("1111", "There is no intercept request to cancel")
ASSUMED_CANCEL_LATE = ("1112", "Intercept can no longer be cancelled")
ASSUMED_CANCELLED = ("1113", "Intercept has been cancelled already")
ASSUMED_NOT_FOUND = ("TW0001", "Tracking Information Not Found")
ASSUMED_BAD_INQUIRY = ("TV1002", "Invalid inquiry number or header")
ASSUMED_RATE = ("10429", "Too Many Requests")
ASSUMED_BAD_GRANT = ("10400", "Invalid/Missing Grant Type")
ASSUMED_DENIED = ("401", "Invalid token or token is not present.")  # a longer code has no room

BAD_CLIENT = ("250002", "Invalid Authentication Information.")
NO_TOKEN = ("UJ0001", "Invalid token or token is not present")
OLD_TOKEN = ("251004", "Bearer Token expired (oauth)")
NOT_FOUND = ("404", "The requested resource was not found.")
NOT_ALLOWED = ("405", "Method Not Allowed.")
SUBSCRIPTION = "The Subscription request has been rejected."
NO_TRANS_ID = ("VSS002", "Missing transId")
BAD_TRANS_ID = ("VSS003", f"Please enter a valid Transaction ID, {SUBSCRIPTION}")
NO_SOURCE = ("VSS004", "Missing transactionSrc")
EMPTY = ("VSS110", f"Subscription request is empty or not present. {SUBSCRIPTION}")
NO_NUMBERS = ("VSS200", f"Tracking Number List is required. {SUBSCRIPTION}")
NONE_VALID = ("VSS210", f"At least one valid tracking number is needed. {SUBSCRIPTION}")
TOO_MANY = ("VSS220", "You have submitted over 100 tracking numbers which is not allowed.")
NO_LOCALE = ("VSS300", f"Locale is required. {SUBSCRIPTION}")
BAD_LOCALE = ("VSS310", f"Please enter a valid locale. {SUBSCRIPTION}")

# type, code, simplified code, text; OT and FS are documented, the other codes assumed
ORDERED = ("M", "MP", "003", "Shipper created a label, UPS has not received the package yet.")
ACTIVITIES: dict[Event, tuple[str, str, str, str]] = {
    Event.PICKED_UP: ("I", "OR", "005", "Origin Scan"),
    Event.DEPARTED: ("I", "DE", "005", "Departed from Facility"),
    Event.ARRIVED: ("I", "AR", "005", "Arrived at Facility"),
    Event.AT_OUTLET: ("I", "DS", "005", "Destination Scan"),
    Event.OUT_FOR_DELIVERY: ("I", "OT", "021", "Out for Delivery"),
    Event.SIGNED: ("D", "FS", "011", "Delivered"),
    Event.ADDRESSEE_REFUSED: ("X", "KR", "010", "Receiver did not want, refused delivery"),
    Event.RETURN_STARTED: ("X", "RS", "012", "The package is being returned to the sender"),
    Event.RETURN_PICKED_UP: ("I", "OR", "005", "Origin Scan"),
    Event.RETURN_DEPARTED: ("I", "DE", "005", "Departed from Facility"),
    Event.RETURN_ARRIVED: ("I", "AR", "005", "Arrived at Facility"),
    Event.RETURN_AT_OUTLET: ("I", "DS", "005", "Destination Scan"),
    Event.RETURN_OUT_FOR_DELIVERY: ("I", "OT", "021", "Out for Delivery"),
    Event.RETURN_SIGNED: ("D", "FS", "011", "Delivered"),
    Event.LOST: ("X", "LP", "013", "The package cannot be located"),
    Event.FOUND: ("I", "LF", "005", "The package has been located"),
    Event.DAMAGED: ("X", "DP", "013", "The package is damaged"),
}
FACILITIES = {  # their site codes
    Place.ORIGIN_OUTLET: "8566",
    Place.ORIGIN_HUB: "8500",
    Place.DESTINATION_HUB: "2100",
    Place.DESTINATION_OUTLET: "2166",
}
