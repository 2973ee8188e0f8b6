//! A plugin that uses everything and misbehaves in every way, for the end-to-end tests. One file a theme.

mod caching;
mod data;
mod misbehave;
mod transactions;
mod web;

covet::plugin! {
    models: [
        data::Row, data::AllTypes, data::Country, data::Author, data::Book, data::Tag,
        transactions::Account
    ],
    routes: [
        web::hello, web::version, web::slow_version, web::echo_text, web::echo_json, web::echo_form, web::echo_query,
        web::echo_headers, web::echo_path, web::echo_rest, web::number, web::whole_request,
        web::measure, web::pass_through, web::count, web::written, web::broken_off, web::events,
        web::big, web::status, web::html, web::see_other, web::moved, web::nothing, web::missing,
        web::failing, web::teapot, web::cookies, web::config_value, web::logs, web::environment,
        web::join_calls, web::new_uuid,
        data::add_row, data::add_rows, data::count_rows, data::row_values, data::get_row, data::list_rows,
        data::bump_row, data::delete_row, data::delete_rows, data::read_rows,
        data::create_all, data::read_all, data::query_all, data::seed, data::books, data::book,
        data::book_titles, data::partial_books, data::lookups, data::tag, data::save_author,
        data::country, data::bulk_tags, data::cached_books, data::deferred,
        transactions::reset, transactions::accounts, transactions::transfer, transactions::pair, transactions::failed,
        transactions::trapped, transactions::asleep, transactions::nested, transactions::explicit,
        transactions::dropped,
        caching::read, caching::write, caching::remove, caching::compute, caching::computed_error,
        misbehave::spin, misbehave::alloc, misbehave::recurse, misbehave::panic, misbehave::flood,
        misbehave::hang, misbehave::sleep, misbehave::bad_status, misbehave::bad_header,
        misbehave::half_a_body, misbehave::many_queries, misbehave::index_out_of_bounds,
        misbehave::endless_body, misbehave::print
    ]
}
