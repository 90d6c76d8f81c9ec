"""Reasons in two languages that no decision gives: of the call itself, and of what became of it."""

from gateway.domain.refusal import TEXTS, Why

CALL = {
    "CREDENTIAL_INVALID": ("凭证缺失或无效", "No valid credential was given"),
    "ROLE_MISSING": ("凭证没有此方法所需的角色", "The credential does not hold the method's role"),
    "NOT_YOURS": ("无权访问或不存在", "It is not the caller's, or does not exist"),
    "NOT_FOUND": ("不存在", "There is no such thing"),
    "PAGE_TOKEN_INVALID": ("分页标记或游标无效", "Not a page token or cursor of this query"),
    "RATE_LIMITED": ("请求过于频繁", "More calls than this tenant may make"),
    "OVERLOADED": ("系统繁忙，请稍后重试", "More work than can be answered in time"),
    "DRAINING": ("服务正在停止，请重试", "The gateway is shutting down"),
    "STORE_UNAVAILABLE": ("存储暂不可用", "The database cannot be reached or written"),
    "CONFLICT": ("并发冲突，请重试", "Retries of the transaction are used up"),
    "INTERNAL": ("内部错误", "Something broke; please report the incident id"),
    "NOT_OFFERED": ("本系统暂未提供", "Not offered by this installation"),
    "TEST_SETTING_ONLY": ("仅限测试设置", "Answered in a test setting only"),
    "ACTION_NOT_OFFERED": ("承运商不支持此操作", "The carrier does not offer this action"),
    "CARRIER_UNAVAILABLE": ("承运商暂不可用", "The carrier does not answer"),
    "EXTERNAL_REFERENCE_REUSED": ("外部凭证号已使用", "The external reference was booked before"),
    "EVIDENCE_MISSING": ("缺少证据", "A claim of this kind needs evidence"),
    "EXCEEDS_AWARD": ("超过未付赔款", "More than was awarded and is still unpaid"),
}

OUTCOME = {
    "DELIVERED": ("买家已签收", "The buyer has the parcel"),
    "UNKNOWN_WAYBILL": ("承运商无此运单", "The carrier knows no such parcel"),
    "NOT_PICKED_UP": ("尚未揽收", "The carrier has not picked it up yet"),
    "TOO_LATE": ("已过可拦截时点", "It is out for delivery, or past the carrier's window"),
    "ALREADY_INTERCEPTED": ("已被他人拦截", "The carrier intercepted it for somebody else"),
    "ALREADY_CANCELLED": ("已取消", "It was cancelled before"),
    "NOT_ALLOWED": ("承运商不允许拦截", "The carrier does not intercept this one"),
    "BAD_REQUEST": ("承运商认为请求有误", "The carrier found the request wrong"),
    "BAD_CREDENTIALS": ("承运商拒绝凭证", "The carrier refuses the credentials"),
    "UNLISTED": ("承运商明确拒绝", "The carrier said no with a code that is not listed"),
    "RETURNED_OTHERWISE": ("因其他原因退回", "The parcel returns for another cause"),
    "MISSED": ("承运商拦截失败", "The carrier tried, and failed"),
    "SEND_DEADLINE": ("未能及时送达承运商", "The carrier could not be reached in time"),
    "NEVER_ARRIVED": ("承运商未收到请求", "The request never reached the carrier"),
    "WITHDRAWN": ("商家已撤回", "The merchant withdrew it"),
    "OPERATOR": ("人工裁决", "Decided by a person, with evidence"),
    "FOUND": ("包裹已找回", "The parcel was found, or came back"),
    "CARRIER_GRANTED_NOTHING": ("承运商不予赔付", "The carrier grants nothing"),
    "CARRIER_REJECTED": ("承运商拒绝理赔", "The carrier rejected the claim"),
    "CAP_REACHED": ("赔付已达上限", "Nothing is left of the cap or the value"),
}


def words(reason: str) -> tuple[str, str] | None:
    """Chinese and English of a reason; None where there are none."""
    if reason in CALL:
        return CALL[reason]
    if reason in Why.__members__:
        text = TEXTS[Why(reason)]
        return text.zh, text.en
    return OUTCOME.get(reason)
