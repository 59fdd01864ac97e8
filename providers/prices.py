"""What an answer costs, in US dollars, by the list of genai-prices in the package: nothing is asked of the net."""

import genai_prices

from providers.contract import Usage
from providers.profiles import Profile


def cost(profile: Profile, model: str, usage: Usage) -> float | None:
    """The price of a prompt and its answer; None where no price is known."""
    if not profile.price:
        return None
    counted = genai_prices.Usage(
        input_tokens=usage.input,
        output_tokens=usage.output,
        cache_read_tokens=min(usage.cached, usage.input) or None,
        cache_write_tokens=usage.cache_written or None,
    )
    try:
        return float(genai_prices.calc_price(counted, model, provider_id=profile.price).total_price)
    except (LookupError, ValueError):
        # No such model in the list, or an account that does not add up: no price is better than a wrong one.
        return None
