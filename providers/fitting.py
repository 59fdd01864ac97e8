"""A prompt made to fit a model: what it does not take is left out and told, or refused where that changes the meaning.

Left out: how the answer is chosen (`temperature`, `top_p`) and how much is thought before it (`effort`). Refused: where
it ends (`stop`), and what may be asked for in it (`tools`): without them it would be another answer.
"""

from dataclasses import dataclass, replace

from providers.contract import Prompt, Turn
from providers.errors import Unsupported
from providers.profiles import Profile

_NAMES = {"temperature": "temperature", "top_p": "top_p", "effort": "reasoning_effort"}


@dataclass(frozen=True, slots=True)
class Misfit:
    """A setting that a model does not take, and that cannot be left out."""

    field: str
    detail: str


def fitted(prompt: Prompt, profile: Profile) -> tuple[Prompt, tuple[str, ...]]:
    """The prompt as the model takes it, and a sentence for each setting that is left out. Errors: `Unsupported`."""
    model = prompt.model
    if (misfit := misfit_of(model, profile, stop=bool(prompt.stop), tools=bool(prompt.tools))) is not None:
        raise Unsupported(misfit.detail)
    left_out = [name for name in _NAMES if getattr(prompt, name) is not None and not getattr(profile, name)]
    notices = tuple(f"{model} does not take {_NAMES[name]}; it was left out." for name in left_out)
    fitting = replace(prompt, **dict.fromkeys(left_out)) if left_out else prompt
    if not profile.system:
        fitting = replace(fitting, turns=_without_system(fitting.turns))
    return fitting, notices


def misfit_of(model: str, profile: Profile, *, stop: bool, tools: bool) -> Misfit | None:
    """What would be refused of a prompt that ends at stop sequences, or offers tools."""
    if stop and not profile.stop:
        return Misfit("stop", f"{model} takes no stop sequences; the answer would go on past them.")
    if tools and not profile.tools:
        return Misfit("tools", f"{model} cannot use tools.")
    return None


def _without_system(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Instructions become the beginning of the first message of the user's."""
    instructions = "\n\n".join(turn.text for turn in turns if turn.role == "system")
    spoken = [turn for turn in turns if turn.role != "system"]
    if not instructions:
        return turns
    at = next((at for at, turn in enumerate(spoken) if turn.role == "user"), None)
    if at is None:
        return (Turn("user", instructions), *spoken)
    spoken[at] = Turn("user", f"{instructions}\n\n{spoken[at].text}")
    return tuple(spoken)
