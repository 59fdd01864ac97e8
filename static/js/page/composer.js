/** Where one writes. What was typed and not sent is kept for each conversation, across reloads. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { inFlight } from "../client/index.js";
import { BusyPicker } from "./busy-picker.js";
import { Icon } from "./icons.js";
import { ModelPicker } from "./model-picker.js";
import { recall, remember } from "./storage.js";
import { html, isComposing, useWatched } from "./view.js";

const SAVE_AFTER = 300;

export function Composer({ salon, state, about, conversation, field, onSend, onEditLast }) {
  const draft = `draft.${conversation?.id ?? "new"}`;
  const [text, setText] = useState(() => recall(draft) ?? "");
  useDraft(draft, text);
  useHeight(field, text);
  useGivenBack(salon, state.givenBack, conversation, (words) => {
    setText([text, words].filter(Boolean).join("\n"));
    field.current.focus();
  });

  const send = async () => {
    if (!text.trim()) return;
    setText("");
    remember(draft, null);
    // The conversation could not be begun: the words are given back.
    if (!(await onSend(text))) setText((since) => [text, since].filter(Boolean).join("\n"));
  };
  const key = (event) => {
    if (isComposing(event)) return undefined;
    if (event.key === "ArrowUp" && !text && !event.altKey && onEditLast()) return event.preventDefault();
    if (event.key !== "Enter" || event.shiftKey) return undefined;
    event.preventDefault();
    return send();
  };
  const input = ({ target }) => {
    setText(target.value);
    if (target.value.trim()) conversation?.type();
    else conversation?.stopTyping();
  };
  const submit = (event) => {
    event.preventDefault();
    send();
    field.current.focus();
  };
  return html`
    <form class="composer" autocomplete="off" onSubmit=${submit}>
      <label class="hidden" for="composer">Your message</label>
      <textarea
        id="composer"
        ref=${field}
        rows="1"
        placeholder=${placeholder(salon, state, about)}
        dir="auto"
        enterkeyhint="send"
        value=${text}
        onInput=${input}
        onKeyDown=${key}
      ></textarea>
      <div class="composer-row">
        <span class="pickers">
          <${ModelPicker} salon=${salon} state=${state} about=${about} />
          ${about && html`<${BusyPicker} salon=${salon} about=${about} />`}
        </span>
        ${conversation
          ? html`<${SendOrStop} salon=${salon} conversation=${conversation} empty=${!text.trim()} />`
          : html`<${Send} empty=${!text.trim()} />`}
      </div>
    </form>
  `;
}

function placeholder(salon, state, about) {
  const persona = about ? salon.characterOf(about) : state.characters.find(({ id }) => id === state.character);
  return persona ? `Say something to ${persona.name}` : "Say something";
}

function SendOrStop({ salon, conversation, empty }) {
  const reply = useWatched(conversation, ({ transcript }) => inFlight(transcript)?.id ?? null);
  if (!reply || !empty) return html`<${Send} empty=${empty} />`;
  return html`
    <button type="button" class="send stop" aria-label="Stop" title="Stop (Esc)" onClick=${() => salon.stop(conversation.id, reply)}><i></i></button>
  `;
}

function Send({ empty }) {
  return html`<button class="send" aria-label="Send" title="Send (Enter)" disabled=${empty}><${Icon} name="send" /></button>`;
}

/** Takes the words of a message that could not be sent. */
function useGivenBack(salon, givenBack, conversation, take) {
  useEffect(() => {
    if (!givenBack || givenBack.conversation !== conversation?.id) return;
    take(givenBack.text);
    salon.set({ givenBack: null });
  }, [givenBack]);
}

/** Keeps the draft: soon after each change, and at once when the conversation or the page is left. */
function useDraft(name, text) {
  const latest = useRef(text);
  latest.current = text;
  useEffect(() => {
    const timer = setTimeout(() => remember(name, text), SAVE_AFTER);
    return () => clearTimeout(timer);
  }, [name, text]);
  useEffect(() => {
    const save = () => remember(name, latest.current);
    addEventListener("pagehide", save);
    return () => {
      removeEventListener("pagehide", save);
      save();
    };
  }, [name]);
}

/** The field grows with what is in it; the style sheet says how far. */
function useHeight(field, text) {
  useLayoutEffect(() => {
    const { current } = field;
    current.style.height = "auto";
    current.style.height = `${current.scrollHeight}px`;
  }, [text]);
}
