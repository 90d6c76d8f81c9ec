"""A lost answer is settled as the carrier's adapter declares, by the real gateway."""

from tests.dialects import stage
from tests.dialects.test_contract import each, nothing


@each
def test_lost_answers_end_as_the_carrier_made_it(carrier: str) -> None:
    nothing(stage.performed(carrier))
