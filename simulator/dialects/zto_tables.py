"""ZTO's names and codes. No list of its status codes is public: all of them here are assumed."""

from simulator.depot import Loss
from simulator.outcomes import Operation, Reason
from simulator.world import Cause, Event, Place

OPERATIONS = {
    "thirdcenter.createIntercept": Operation.INTERCEPT,
    "thirdcenter.cancelIntercept": Operation.CANCEL,
    "thirdcenter.queryInterceptAndReturnStatus": Operation.QUERY,
    "zto.merchant.waybill.track.query": Operation.TRACK,
    "zto.merchant.waybill.track.subsrcibe": Operation.SUBSCRIBE,  # their spelling
    "zto.open.merchant.incident.create": Operation.CLAIM,
    "zto.open.merchant.incident.query": Operation.CLAIM_QUERY,
}
PAYLOAD = {  # the member that carries the payload; `data` for the thirdcenter family
    Operation.TRACK: "result",
    Operation.SUBSCRIBE: "result",
    Operation.CLAIM: "result",
    Operation.CLAIM_QUERY: "result",
}

SUCCESS = ("SYS000", "请求成功")  # this and all codes below are assumed: no list is public
ASSUMED = {
    Reason.UNKNOWN_WAYBILL: ("INT001", "运单不存在"),
    Reason.NOT_PICKED_UP: ("INT002", "运单未揽收"),
    Reason.TOO_LATE: ("INT003", "超过可拦截时间"),
    Reason.ALREADY_DELIVERED: ("INT004", "运单已签收"),
    Reason.ALREADY_INTERCEPTED: ("INT005", "运单已有拦截件"),
    Reason.RETURN_LEG: ("INT006", "运单已在退回途中"),
    Reason.UNLISTED: ("INT099", "其他原因不可拦截"),
}
ASSUMED_BAD_DIGEST = ("S206", "签名错误")
ASSUMED_NO_COMPANY = ("S207", "应用不存在")
ASSUMED_NO_API = ("S208", "接口不存在")
ASSUMED_BUSY = ("S211", "请求过于频繁")
ASSUMED_SYSTEM = ("S500", "系统异常")
ASSUMED_BAD_REQUEST = ("S400", "参数错误")
ASSUMED_NO_INTERCEPTION = ("INT101", "无拦截记录")
ASSUMED_CANCEL_LATE = ("INT102", "已退回,不可取消")
ASSUMED_CANCELLED = ("INT103", "拦截已取消")
ASSUMED_NO_INCIDENT = ("INC003", "工单不存在")

INCIDENTS = {
    "lose-claim": Loss.LOST,
    "damage-claim": Loss.SHORTAGE,
    "damage-compensation": Loss.DAMAGED,
}
INCIDENT_TYPES = {kind: name for name, kind in INCIDENTS.items()}

STATES = {
    "INTERCEPTING": "拦截中",
    "INTERCEPT_SUCCESS": "拦截成功",
    "INTERCEPT_FAIL": "拦截失败",
    "INTERCEPT_CANCEL": "取消拦截",
    "PACKAGE_DELIVERYING": "退改中",
    "INTERCEPT_DISCONTINUE": "拦截完结",
}
NOTICE_STATES = {
    Event.INTERCEPT_ACCEPTED: "INTERCEPT_SUCCESS",
    Event.INTERCEPT_FAILED: "INTERCEPT_FAIL",
    Event.INTERCEPT_CANCELLED: "INTERCEPT_CANCEL",
    Event.INTERCEPT_ENDED: "INTERCEPT_DISCONTINUE",
}

ACTIONS: dict[Event, tuple[str, str]] = {
    Event.PICKED_UP: ("GOT", "已揽收"),
    Event.DEPARTED: ("DEPARTURE", "已发出"),
    Event.ARRIVED: ("ARRIVAL", "已到达中转"),
    Event.AT_OUTLET: ("ARRIVAL", "已到达派件网点"),
    Event.OUT_FOR_DELIVERY: ("DISPATCH", "正在派件"),
    Event.SIGNED: ("SIGNED", "已签收,签收人: 收件人"),
    Event.ADDRESSEE_REFUSED: ("PROBLEM", "客户拒收"),
    Event.RETURN_STARTED: ("RETURN_SCAN", "快件退回"),
    Event.RETURN_PICKED_UP: ("GOT", "已揽收"),
    Event.RETURN_DEPARTED: ("DEPARTURE", "退件已发出"),
    Event.RETURN_ARRIVED: ("ARRIVAL", "退件已到达中转"),
    Event.RETURN_AT_OUTLET: ("ARRIVAL", "退件已到达网点"),
    Event.RETURN_OUT_FOR_DELIVERY: ("DISPATCH", "退件派送中"),
    Event.RETURN_SIGNED: ("RETURN_SIGNED", "退件已签收,签收人: 寄件人"),
    Event.LOST: ("PROBLEM", "快件遗失"),
    Event.FOUND: ("PROBLEM", "快件已找到"),
    Event.DAMAGED: ("PROBLEM", "快件破损"),
}
PROBLEMS = {
    Event.ADDRESSEE_REFUSED: "REFUSED",
    Event.LOST: "LOST",
    Event.FOUND: "FOUND",
    Event.DAMAGED: "DAMAGED",
}
RETURN_TYPES = {
    Cause.INTERCEPTION: "1",
    Cause.ADDRESSEE_REFUSED: "2",
    Cause.OTHER_INTERCEPTION: "3",
}
FACILITIES = {
    Place.ORIGIN_OUTLET: ("网点", "01"),
    Place.ORIGIN_HUB: ("转运中心", "00"),
    Place.DESTINATION_HUB: ("转运中心", "00"),
    Place.DESTINATION_OUTLET: ("网点", "02"),
}
