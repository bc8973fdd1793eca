use proptest::prelude::*;

use super::judge;

fn class(text: &str) -> &'static str {
    let judged = judge(text);
    assert_eq!(judged.language, "en", "{text}");
    judged.sentiment.expect("English is judged").1
}

#[test]
fn english_is_judged_as_it_is_meant() {
    for (text, expected) in [
        ("I love it", "positive"),
        ("Great!", "positive"),
        ("Works great, thanks", "positive"),
        ("The new search is fast and easy to use.", "positive"),
        ("No problems so far, it saves me an hour a day", "positive"),
        ("not good", "negative"),
        ("This isn’t good at all", "negative"),
        ("I don't like the new layout", "negative"),
        ("The app freezes when I save", "negative"),
        ("Export to PDF doesn't work", "negative"),
        ("it crashes", "negative"),
        ("Printing takes forever", "negative"),
        ("I can't find the export button anywhere", "negative"),
        ("The update broke everything 😡", "negative"),
        ("The app isn't bad", "positive"),
        ("The save button is in the toolbar.", "neutral"),
        ("Where is the list of my exports?", "neutral"),
        ("It would be nice to have a dark mode.", "neutral"),
    ] {
        assert_eq!(class(text), expected, "{text}");
    }
}

#[test]
fn emoji_and_negation_count() {
    let polarity = |text: &str| judge(text).sentiment.expect(text).0;
    let plain = polarity("The report arrived on Monday");
    assert!(polarity("The report arrived on Monday 👍") > plain);
    assert!(polarity("The report arrived on Monday 😡") < plain);
    assert!(polarity("I like it 😀") > polarity("I like it"));
    assert!(polarity("The search is good") > polarity("The search is not good"));
    assert!(polarity("The search is bad") < polarity("The search is not bad"));
    assert!(polarity("The search is very good") > polarity("The search is good"));
    assert!(polarity("It does not crash any more") > polarity("It crashes"));
    for (text, expected) in [
        ("👍👍", "positive"),
        ("❤️", "positive"),
        ("😡", "negative"),
        (":-(", "negative"),
        (":)", "positive"),
        ("👎🏽", "negative"),
    ] {
        let judged = judge(text);
        assert_eq!(judged.language, "", "{text}");
        assert_eq!(judged.sentiment.expect(text).1, expected, "{text}");
    }
}

#[test]
fn what_cannot_be_judged_is_not_guessed() {
    for (text, language) in [
        ("Das Speichern stürzt immer ab", "de"),
        ("Geht nicht", "de"),
        ("Das ist super, danke!", "de"),
        ("Le bouton d'exportation ne fonctionne pas", "fr"),
        ("Très bien", "fr"),
        ("El botón de guardar no funciona nunca", "es"),
        ("Il pulsante non funziona", "it"),
        ("O botão não funciona", "pt"),
        ("De knop werkt niet meer", "nl"),
        ("保存ボタンが動きません", "ja"),
        ("保存按钮不工作", "zh"),
        ("저장 버튼이 작동하지 않습니다", "ko"),
        ("Przycisk zapisu nie działa od wczoraj", "pl"),
        ("Kaydet düğmesi dünden beri çalışmıyor", "tr"),
    ] {
        let judged = judge(text);
        assert_eq!(judged.language, language, "{text}");
        assert_eq!(judged.sentiment, None, "{text}");
    }
    for text in [
        "",
        " ",
        "Кнопка сохранения больше не работает",
        "12345",
        "asdf",
        "Tallennuspainike ei toimi enää ollenkaan",
        "?!",
        "https://example.com/love/great",
        "x",
    ] {
        assert_eq!(judge(text).sentiment, None, "{text}");
    }
}

#[test]
fn the_longest_description_is_judged_in_time() {
    drop(judge("warm up"));
    for text in [
        "The export 😀to PDF 😡does not work good ".repeat(250),
        "a".repeat(10_000),
        "not good ".repeat(1_112),
        "very so good but ".repeat(588),
        "😡".repeat(10_000),
        "❤\u{fe0f}".repeat(5_000),
        "Ist nicht gut. ".repeat(667),
    ] {
        let text: String = text.chars().take(10_000).collect();
        let fastest = (0..20)
            .map(|_| {
                let began = std::time::Instant::now();
                std::hint::black_box(judge(&text));
                began.elapsed()
            })
            .min();
        println!(
            "{fastest:?} for {:?}…",
            text.chars().take(12).collect::<String>()
        );
        // Far above what it takes, and far below what it would take if each word were
        // compared with each.
        let bound_ms = if cfg!(debug_assertions) { 250 } else { 10 };
        assert!(
            fastest.expect("twenty").as_millis() < bound_ms,
            "{fastest:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_is_judged(text in "\\PC{0,300}", more in any::<String>()) {
        for text in [text, more] {
            let judged = judge(&text);
            if let Some((micro, class)) = judged.sentiment {
                prop_assert!((-1_000_000..=1_000_000).contains(&micro));
                prop_assert_eq!(class, super::class(micro));
                prop_assert!(["en", ""].contains(&judged.language.as_str()));
            }
        }
    }

    #[test]
    fn words_in_any_order_are_judged(
        words in prop::collection::vec(
            prop::sample::select(vec!["not", "no", "so", "good", "can't", "work", ":)", "😡",
                "never", "this", "but", "least", "at", "the", "shit", "yeah", "right", "'", "''",
                "kind", "of", "VERY", "BAD!!!", "n't", "-", "to", "even", "is", "like", "’"]),
            0..60,
        )
    ) {
        let judged = judge(&words.join(" "));
        prop_assert!(judged.language.len() <= 3);
    }
}
