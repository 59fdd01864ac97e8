/** Which provider and model will answer. A native list: it behaves on phones, and with the keyboard. */

import { Icon } from "./icons.js";
import { html } from "./view.js";

const NAMES = { local: "On this machine", openai: "OpenAI", anthropic: "Anthropic", lmstudio: "LM Studio" };

export function ModelPicker({ salon, state, about }) {
  const { models } = state;
  const chosen = salon.modelOf(about);
  if (!chosen) return html`<span class="model"></span>`;
  const at = models.indexOf(chosen);
  const providers = [...new Set(models.map(({ provider }) => provider))];
  const choose = (event) => salon.chooseModel(about?.id ?? null, models[Number(event.target.value)]);
  return html`
    <span class="model">
      <label class="hidden" for="model">Model</label>
      <select id="model" value=${String(at)} onChange=${choose} title="Which model answers">
        ${providers.map(
          (provider) => html`
            <optgroup label=${NAMES[provider] ?? provider}>
              ${models.map((entry, index) => entry.provider === provider && html`<option value=${String(index)} selected=${index === at}>${entry.model}</option>`)}
            </optgroup>
          `,
        )}
      </select>
      <${Icon} name="chevron" />
    </span>
  `;
}
