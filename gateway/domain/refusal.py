"""What a caller can be told: refusals are values with a class and words in two languages."""

from enum import StrEnum, auto

from gateway.domain.named import Named
from gateway.domain.record import Record


class Kind(StrEnum):
    """The class of a refusal decides its gRPC status; see the error contract in README."""

    INVALID = auto()  # never retry
    EXISTS = auto()
    PRECONDITION = auto()  # fix, quote again
    NOT_FOUND = auto()
    DENIED = auto()
    EXHAUSTED = auto()  # wait
    UNAVAILABLE = auto()  # same request id again
    ABORTED = auto()  # same request id again


class Why(Named):
    """Every reason of a refusal, in the order in which they are reported."""

    INVALID_FIELD = auto()
    REQUEST_ID_REUSED = auto()
    NOT_ELIGIBLE = auto()
    WAYBILL_NOT_YOURS = auto()
    WAYBILL_REGISTERED = auto()
    RETURN_LEG = auto()
    INTERCEPT_OPEN = auto()
    REINTERCEPT_NOT_OFFERED = auto()
    MERCHANT_NOT_POP_SOP = auto()
    CANCEL_ORDER_OFF = auto()
    WALLET_NOT_OPEN = auto()
    AGREEMENT_UNSIGNED = auto()
    CROSS_BORDER = auto()
    WAYBILL_SERVICE_OFF = auto()
    ORDER_SPLIT = auto()
    STORE_NOT_OPERATING = auto()
    CONTRACT_UNSIGNED = auto()
    CATEGORY_EXCLUDED = auto()
    VALUE_MISSING = auto()
    OTHER_ORDER_OPEN = auto()
    OUTSIDE_WINDOW = auto()
    CARRIER_DECLINES = auto()
    STATUS_UNDECLARED = auto()
    STATUS_PENDING = auto()
    FEE_NOT_SET = auto()
    CARRIER_NOT_CONFIGURED = auto()
    QUOTE_UNKNOWN = auto()
    QUOTE_EXPIRED = auto()
    QUOTE_USED = auto()
    PAYMENT_NOT_AGREED = auto()
    BALANCE_LOW = auto()
    CURRENCY_DIFFERS = auto()
    INTERCEPTION_UNKNOWN = auto()
    CANCEL_NOT_OFFERED = auto()
    CANCEL_TOO_LATE = auto()
    CLAIM_UNKNOWN = auto()
    CLAIM_EXISTS = auto()
    CLAIM_NOT_OPEN = auto()
    CLAIM_NO_EVENT = auto()
    CLAIM_WINDOW_CLOSED = auto()
    CLAIM_LINE_UNKNOWN = auto()
    CLAIM_CAP_REACHED = auto()
    CLAIM_SAME_ACTOR = auto()
    DECISION_KEY_REUSED = auto()
    MERCHANT_UNKNOWN = auto()
    PARCEL_UNKNOWN = auto()
    STATEMENT_TOTAL = auto()
    STATEMENT_PARTS = auto()
    LIMIT_REACHED = auto()
    SAFE_MODE = auto()


class Refusal(Record, frozen=True):
    """One no. `field` names the request field where one is at fault; `detail` never holds input."""

    why: Why
    detail: str = ""
    field: str = ""
    subject: str = ""  # the id of what stands in the way


class Refusals(Record, frozen=True):
    """All unmet conditions at once."""

    unmet: tuple[Refusal, ...]


class Text(Record, frozen=True):
    kind: Kind
    zh: str
    en: str


P = Kind.PRECONDITION
TEXTS: dict[Why, Text] = {
    Why.INVALID_FIELD: Text(Kind.INVALID, "请求字段不合法", "A field of the request is not valid"),
    Why.REQUEST_ID_REUSED: Text(
        Kind.EXISTS, "请求号已用于另一请求", "This request_id was used for another request"
    ),
    Why.NOT_ELIGIBLE: Text(P, "不符合拦截条件", "The parcel cannot be intercepted"),
    Why.WAYBILL_NOT_YOURS: Text(
        P, "运单不属于该商家", "No parcel of this merchant has this waybill"
    ),
    Why.WAYBILL_REGISTERED: Text(
        Kind.EXISTS, "运单已登记", "This waybill is registered with other contents"
    ),
    Why.RETURN_LEG: Text(P, "该运单为退回运单", "This is the waybill of a return leg"),
    Why.INTERCEPT_OPEN: Text(
        Kind.EXISTS, "该包裹已有进行中的拦截", "An interception of this parcel is open"
    ),
    Why.REINTERCEPT_NOT_OFFERED: Text(
        P, "承运商不支持再次拦截", "The carrier does not intercept a parcel twice"
    ),
    Why.MERCHANT_NOT_POP_SOP: Text(P, "仅限POP-SOP商家", "Only POP-SOP merchants may use this"),
    Why.CANCEL_ORDER_OFF: Text(
        P, "店铺未开通取消订单功能", "The store's cancel-order function is off"
    ),
    Why.WALLET_NOT_OPEN: Text(P, "企业钱包未开通", "The enterprise wallet is not open"),
    Why.AGREEMENT_UNSIGNED: Text(P, "服务协议未签署", "A required agreement is not signed"),
    Why.CROSS_BORDER: Text(P, "跨境商家暂不支持", "Cross-border merchants are not served"),
    Why.WAYBILL_SERVICE_OFF: Text(
        P, "未开通该承运商电子面单", "The carrier's electronic-waybill service is not open"
    ),
    Why.ORDER_SPLIT: Text(P, "订单已拆分为多个包裹", "An order is split over several parcels"),
    Why.STORE_NOT_OPERATING: Text(P, "店铺非正常营业", "The store is not operating normally"),
    Why.CONTRACT_UNSIGNED: Text(P, "服务合同未签署", "The service contract is not signed"),
    Why.CATEGORY_EXCLUDED: Text(P, "商品类目不支持拦截", "A category in the box is excluded"),
    Why.VALUE_MISSING: Text(P, "缺少商品价值", "The value of the goods is missing"),
    Why.OTHER_ORDER_OPEN: Text(
        P, "包裹内含其他未取消订单", "Another order in the box is not cancelled"
    ),
    Why.OUTSIDE_WINDOW: Text(
        P, "当前物流状态不可拦截", "The parcel's status does not allow an interception"
    ),
    Why.CARRIER_DECLINES: Text(
        P, "承运商不同意拦截该包裹", "The carrier says that it would not intercept this parcel"
    ),
    Why.STATUS_UNDECLARED: Text(
        P,
        "该渠道无物流查询，登记时须申报物流状态",
        "Nobody can be asked for the status, and none is declared",
    ),
    Why.STATUS_PENDING: Text(
        Kind.UNAVAILABLE, "物流状态查询中，请稍后重试", "The parcel's status is being read"
    ),
    Why.FEE_NOT_SET: Text(P, "该物流状态无收费标准", "The contract has no fee for this status"),
    Why.CARRIER_NOT_CONFIGURED: Text(
        P, "承运商或账号未配置", "The carrier or its account is not configured"
    ),
    Why.QUOTE_UNKNOWN: Text(P, "报价不存在", "There is no such quote"),
    Why.QUOTE_EXPIRED: Text(P, "报价已过期", "The quote has expired"),
    Why.QUOTE_USED: Text(P, "报价已使用", "The quote has been used"),
    Why.PAYMENT_NOT_AGREED: Text(
        P, "免密支付协议无效", "No payment agreement of this id is signed"
    ),
    Why.BALANCE_LOW: Text(P, "钱包余额不足", "The wallet's balance is too low"),
    Why.CURRENCY_DIFFERS: Text(P, "币种不一致", "The currencies differ"),
    Why.INTERCEPTION_UNKNOWN: Text(Kind.NOT_FOUND, "拦截单不存在", "There is no such interception"),
    Why.CANCEL_NOT_OFFERED: Text(
        P, "承运商不支持取消拦截", "The carrier does not withdraw interceptions"
    ),
    Why.CANCEL_TOO_LATE: Text(P, "已无法取消拦截", "It is too late to withdraw"),
    Why.CLAIM_UNKNOWN: Text(Kind.NOT_FOUND, "理赔单不存在", "There is no such claim"),
    Why.CLAIM_EXISTS: Text(Kind.EXISTS, "该商品已有同类理赔", "This line has a claim of this kind"),
    Why.CLAIM_NOT_OPEN: Text(P, "理赔单已结束", "The claim has ended"),
    Why.CLAIM_NO_EVENT: Text(
        P, "未发生可理赔的事件", "Nothing has happened that such a claim could rest on"
    ),
    Why.CLAIM_WINDOW_CLOSED: Text(P, "已超过理赔期限", "The time for such a claim has passed"),
    Why.CLAIM_LINE_UNKNOWN: Text(P, "包裹内无此订单行", "The parcel holds no such order line"),
    Why.CLAIM_CAP_REACHED: Text(P, "赔付已达上限", "Nothing is left of the cap or the value"),
    Why.CLAIM_SAME_ACTOR: Text(
        P, "申请人与审批人不得相同", "Whoever filed this claim may not decide it"
    ),
    Why.DECISION_KEY_REUSED: Text(
        Kind.EXISTS, "裁决号已使用", "The decision key was used for another decision"
    ),
    Why.MERCHANT_UNKNOWN: Text(P, "商家不存在", "There is no such merchant"),
    Why.PARCEL_UNKNOWN: Text(Kind.NOT_FOUND, "包裹不存在", "There is no such parcel"),
    Why.STATEMENT_TOTAL: Text(
        P, "对账单明细合计与总额不符", "The lines do not add up to the stated total"
    ),
    Why.STATEMENT_PARTS: Text(P, "对账单各部分不一致", "Parts of one statement disagree about it"),
    Why.LIMIT_REACHED: Text(Kind.EXHAUSTED, "超过数量限制", "A limit is reached"),
    Why.SAFE_MODE: Text(
        Kind.UNAVAILABLE,
        "系统恢复核对中，暂不受理",
        "The store was restored and is being reconciled; nothing is sent until then",
    ),
}
